"""One of several clients on one kept session: as kept.mjs, with the Python SDK.

Usage: python kept.py NAME CALLS SERVER [ARGUMENT...]
"""

import os
import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from py import check, text_of

AT_ONCE = 4


async def some(client, name, numbers):
    for i in numbers:
        code = f'seen.append("{name}-{i}"); print("answer to {name}-{i}")'
        result = await client.call_tool("execute_code", {"code": code, "session": "shared"})
        last = text_of(result).splitlines()[-1]
        check(not result.is_error and last == f"answer to {name}-{i}", f"call {name}-{i} has another's answer", result)


async def main(name, calls, command, args):
    server = StdioServerParameters(command=command, args=args, env=dict(os.environ))
    async with Client(server) as client:
        numbers = iter(range(calls))
        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(some, client, name, numbers)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    anyio.run(main, sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
    print("ok")
