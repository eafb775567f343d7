"""``python -m tests.faults.half_open PORT COUNT``: so many connections, each with half a request.

A connection that is closed is opened anew. It writes a line when all have been opened once.
"""

from __future__ import annotations

import asyncio
import resource
import sys

_HALF_A_REQUEST = b"GET /livez HTTP/1.1\r\nHost: "


async def hold(port: int, opened: asyncio.Semaphore) -> None:
    first = True
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_HALF_A_REQUEST)
            if first:
                first = False
                opened.release()
            await reader.read()
            writer.close()
        except OSError:
            await asyncio.sleep(0.05)


async def main(port: int, count: int) -> None:
    opened = asyncio.Semaphore(0)
    holding = [asyncio.create_task(hold(port, opened)) for _ in range(count)]
    for _ in range(count):
        await opened.acquire()
    print("opened", flush=True)
    await asyncio.gather(*holding)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(*map(int, sys.argv[1:3])))
