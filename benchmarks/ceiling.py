"""What the same client reaches on the same loop with nothing around it: a process that only POSTs.

As many requests are under way at once as a worker with the default settings has for one host.
"""

import asyncio
import json
import subprocess
import sys
import time

import aiohttp
from attrs import frozen

from benchmarks.receiver import Receiver
from cronhook_core.engine.worker import WorkerOptions
from cronhook_server.process import run

AT_ONCE = WorkerOptions().concurrency // 2
BODY = b'{"hello":"world"}'
HEADERS = {
    "content-type": "application/json",
    "user-agent": "ceiling",
    "webhook-id": "exe_00000000000000000000000000",
    "webhook-timestamp": "1700000000",
    "webhook-signature": "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}


@frozen(kw_only=True)
class Ceiling:
    """``cpu_us`` is what a request costs the client: how fast the machine is in that minute."""

    per_second: float
    cpu_us: float


def measure_ceiling(receiver: Receiver, count: int) -> Ceiling:
    """``count`` requests, ``AT_ONCE`` at once; the receiver's arrivals are cleared."""
    command = [sys.executable, "-m", "benchmarks.ceiling", receiver.url(), str(count)]
    measured = subprocess.run(command, check=True, capture_output=True, text=True)
    receiver.clear()
    return Ceiling(**json.loads(measured.stdout))


async def post(url: str, count: int) -> dict[str, float]:
    numbers = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post_until_done() -> None:
            for _ in numbers:
                async with session.post(url, data=BODY, headers=HEADERS) as response:
                    await response.read()

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(post_until_done() for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - began
    return {"per_second": count / seconds, "cpu_us": (time.process_time() - cpu) / count * 1e6}


if __name__ == "__main__":
    print(json.dumps(run(post(sys.argv[1], int(sys.argv[2])))))
