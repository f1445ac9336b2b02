import asyncio


async def main():
    process = await asyncio.create_subprocess_exec("echo", "from echo", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    print(out.decode().strip(), process.returncode)


asyncio.run(main())
