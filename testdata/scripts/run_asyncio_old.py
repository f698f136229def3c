import asyncio

async def work(n):
    await asyncio.sleep(0.01)
    return n

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
try:
    print(loop.run_until_complete(asyncio.gather(work(1), work(2))))
finally:
    loop.close()
