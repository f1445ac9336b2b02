import asyncio


async def step(name, delay):
    await asyncio.sleep(delay)
    return name


async def main():
    print(await asyncio.gather(step("a", 0.02), step("b", 0.01)))


asyncio.run(main())
