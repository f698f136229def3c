"""The Python SDK over HTTP: as py.py, which has the conversation.

TOKEN is in the environment. Usage: python py_http.py legacy|auto URL
"""

import os
import sys

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import py


async def main(mode, url):
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            await py.converse(client)
            reports = []

            async def progress(done, total, message):
                reports.append(message)

            code = "import time; time.sleep(2.5); print('slow', x)"
            result = await client.call_tool("execute_code", {"code": code}, progress_callback=progress)
            py.check("slow 41" in py.text_of(result), "the slow run", result)
            py.check(reports, "no progress came")


if __name__ == "__main__":
    try:
        anyio.run(main, sys.argv[1], sys.argv[2])
    except BaseException as error:
        failed = py.failure(error)
        if failed is None:
            raise
        sys.exit(f"FAILED: {failed}")
    print("ok")
