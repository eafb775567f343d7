"""Creating jobs and reading them over HTTP, beside a handler of the same framework that only echoes."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any

import aiohttp

from benchmarks.processes import COMMAND, environment, on_postgres, running
from benchmarks.reporting import Row, over_runs, progress
from benchmarks.sizes import Sizes
from cronhook_server.process import run
from tests.services import free_port
from tests.watchdog import WATCHDOG

AT_ONCE = 16
WARM_UP = 200
START_SECONDS = 30.0
STARTING = 503
JOB = {
    "name": "benchmark",
    "cron": "0 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "callback_url": "https://example.com/hook",
    "payload": {"hello": "world"},
}
Calls = Iterator[tuple[str, str, bytes | None]]


def run_api(sizes: Sizes) -> list[Row]:
    """One API process, one client process; the jobs that are created belong to one workspace."""
    api, echo = free_port(), free_port()
    with on_postgres(with_redis=True, port=api, max_jobs_per_workspace=10_000_000) as installation:
        installation.start("api")
        key = _key(installation.settings)
        command = [sys.executable, "-m", "benchmarks.echo", str(echo)]
        with running(command, environment(), WATCHDOG.make_folder()):
            runs = []
            for number in range(1, sizes.runs + 1):
                progress(f"{sizes.calls:,} calls of each kind, {AT_ONCE} at once, run {number}")
                runs.append({"run": str(number)} | run(_measure(api, echo, key, sizes.calls)))
    return over_runs(runs)


def _key(settings: Mapping[str, str]) -> str:
    command = [COMMAND, "keys", "create", "--workspace", "benchmark", "-o", "json"]
    created = subprocess.run(command, env=dict(settings), check=True, capture_output=True, text=True)
    return str(json.loads(created.stdout)["key"])


async def _measure(api: int, echo: int, key: str, calls: int) -> dict[str, float]:
    body = json.dumps(JOB).encode()
    headers = {"x-api-key": key, "content-type": "application/json"}
    jobs, handler = f"http://127.0.0.1:{api}/v1/jobs", f"http://127.0.0.1:{echo}/echo"
    async with aiohttp.ClientSession(headers=headers) as session:
        for url in (f"{jobs}?limit=1", f"{handler}/name"):
            await _until_it_answers(session, url)
        echo_post, _ = await _rate(session, cycle([("POST", handler, body)]), calls)
        create, created = await _rate(session, cycle([("POST", jobs, body)]), calls)
        echo_get, _ = await _rate(session, cycle([("GET", f"{handler}/name", None)]), calls)
        get, _ = await _rate(session, cycle([("GET", f"{jobs}/{job['id']}", None) for job in created]), calls)
    return {
        "echo POST/s": echo_post,
        "create/s": create,
        "create ratio": create / echo_post,
        "echo GET/s": echo_get,
        "get/s": get,
        "get ratio": get / echo_get,
    }


async def _rate(session: aiohttp.ClientSession, requests: Calls, calls: int) -> tuple[float, Sequence[Any]]:
    """Answers a second, after some to warm up, and what was answered."""
    await _call(session, requests, WARM_UP)
    began = time.perf_counter()
    answers = await _call(session, requests, calls)
    return calls / (time.perf_counter() - began), answers


async def _call(session: aiohttp.ClientSession, requests: Calls, calls: int) -> Sequence[Any]:
    numbers = iter(range(calls))
    answers: list[Any] = []

    async def call_until_done() -> None:
        for _, (method, url, body) in zip(numbers, requests, strict=False):
            async with session.request(method, url, data=body) as response:
                response.raise_for_status()
                answers.append(await response.json())

    await asyncio.gather(*(call_until_done() for _ in range(AT_ONCE)))
    return answers


async def _until_it_answers(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            with suppress(aiohttp.ClientConnectionError):
                async with session.get(url) as response:
                    if response.status != STARTING:
                        return response.raise_for_status()
            await asyncio.sleep(0.1)
