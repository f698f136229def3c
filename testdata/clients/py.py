"""The Python SDK (mcp on PyPI): the tool list, then three calls that share state.

"legacy" shakes hands, "auto" asks server/discover and then speaks statelessly.
Usage: python py.py legacy|auto SERVER [ARGUMENT...]
"""

import os
import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters


class Failed(Exception):
    pass


def check(condition, what, result=None):
    if not condition:
        answer = "" if result is None else "\nThe answer was:\n" + result.model_dump_json(indent=2)
        raise Failed(what + answer)


def text_of(result):
    return "\n".join(block.text for block in result.content if block.type == "text")


async def converse(client):
    names = [tool.name for tool in (await client.list_tools()).tools]
    for name in ("execute_code", "get_execution", "interrupt_execution"):
        check(name in names, f"the tool list lacks {name}: {names}")

    async def run(code):
        result = await client.call_tool("execute_code", {"code": code})
        status, _, body = text_of(result).partition("\n")
        check(not result.is_error, f"{code} failed", result)
        check(" id=" in status, "the first line holds no id", result)
        return result, body

    await run("x = 41")
    result, body = await run("print(x + 1)")
    check("42" in body.splitlines(), "x + 1 did not print 42: the state was lost", result)
    result, body = await run("import math; math.sqrt(x)")
    check("6.4031242374328485" in body, "math.sqrt(x) is not 6.4031242374328485", result)


async def main(mode, command, args):
    server = StdioServerParameters(command=command, args=args, env=dict(os.environ))
    async with Client(server, mode=mode) as client:
        want = "2026-07-28" if mode == "auto" else "2025-11-25"
        version = client.protocol_version
        check(version == want, f"mode {mode} agreed on {version}, want {want}")
        await converse(client)


def failure(error):
    """Returns the first Failed inside error, which task groups wrap."""
    if isinstance(error, Failed):
        return error
    return next(filter(None, map(failure, getattr(error, "exceptions", ()))), None)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("legacy", "auto"):
        sys.exit(__doc__)
    try:
        anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3:])
    except BaseException as error:
        failed = failure(error)
        if failed is None:
            raise
        sys.exit(f"FAILED: {failed}")
    print("ok")
