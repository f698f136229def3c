import asyncio
await asyncio.gather(*[asyncio.sleep(0, i) for i in range(3)])
