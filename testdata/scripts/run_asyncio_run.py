import asyncio

async def work(n):
    await asyncio.sleep(0.01)
    return n

async def main():
    print(await asyncio.gather(work(1), work(2)))
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)
    except TimeoutError:
        print("timed out")

asyncio.run(main())
try:
    asyncio.get_running_loop()
except RuntimeError as error:
    print(error)
