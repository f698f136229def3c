import anyio

async def main(name):
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0.01)
    print(name)

anyio.run(main, "asyncio")
anyio.run(main, "trio", backend="trio")
