"""Creating jobs and reading them over HTTP, beside a handler of the same framework that only echoes."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, cycle, islice
from urllib.request import Request, urlopen

import psutil
from attrs import frozen

from benchmarks.callers import HOST, call, request_of
from benchmarks.processes import COMMAND, cpu_seconds, environment, on_postgres, running
from benchmarks.reporting import Row, over_runs, progress
from benchmarks.sizes import Sizes
from cronhook_server.process import run
from tests.services import free_port
from tests.watchdog import WATCHDOG

AT_ONCE = 16
WARM_UP = 200
START_SECONDS = 30.0
JOB = {
    "name": "benchmark",
    "cron": "0 9 * * 1-5",
    "timezone": "Europe/Berlin",
    "callback_url": "https://example.com/hook",
    "payload": {"hello": "world"},
}


NO_LIMITS = {
    "max_jobs_per_workspace": 10_000_000,
    "max_stored_bytes_per_workspace": 10**12,
    "max_idempotency_records_per_workspace": 10_000_000,
    "cpu_percent_per_key": 100,
    "requests_per_second_per_key": 0,
}
"""The workspace gets more than any user has."""


def run_api(sizes: Sizes) -> list[Row]:
    """One API process, one client process; the jobs that are created belong to one workspace."""
    api_port, echo_port = free_port(), free_port()
    with on_postgres(with_redis=True, port=api_port, **NO_LIMITS) as installation:
        key = {"x-api-key": _key(installation.settings)}
        api = Server(api_port, "/v1/jobs", key, installation.start("api"))
        command = [sys.executable, "-m", "benchmarks.echo", str(echo_port)]
        with running(command, environment(), WATCHDOG.make_folder()) as process:
            echo = Server(echo_port, "/echo", key, process)
            api.wait_until_it_answers("?limit=1")
            echo.wait_until_it_answers("/name")
            runs = []
            for number in range(1, sizes.runs + 1):
                progress(f"{sizes.calls:,} calls of each kind, {AT_ONCE} at once, run {number}")
                runs.append({"run": str(number)} | _measure(api, echo, sizes.calls))
    return over_runs(runs)


@frozen
class Server:
    """What is called: a path on a port, and the process that answers there."""

    port: int
    path: str
    headers: Mapping[str, str]
    process: psutil.Process

    def wait_until_it_answers(self, path: str) -> None:
        request = Request(f"http://{HOST}:{self.port}{self.path}{path}", headers=dict(self.headers))
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return urlopen(request).close()
            except OSError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.1)

    def post(self, body: bytes, calls: int) -> "Rate":
        return self._rate(cycle([request_of("POST", self.path, self.headers, body)]), calls)

    def post_under_keys(self, body: bytes, calls: int) -> "Rate":
        """Each under an idempotency key of its own, as the client library does."""
        of_this_run = time.time_ns()
        keys = ({**self.headers, "idempotency-key": f"{of_this_run}-{number}"} for number in count())
        return self._rate((request_of("POST", self.path, headers, body) for headers in keys), calls)

    def get(self, names: Sequence[str], calls: int) -> "Rate":
        return self._rate(cycle([request_of("GET", f"{self.path}/{name}", self.headers) for name in names]), calls)

    def _rate(self, requests: Iterator[bytes], calls: int) -> "Rate":
        run(call(self.port, islice(requests, WARM_UP), at_once=AT_ONCE))
        began, cpu = time.perf_counter(), cpu_seconds(self.process)
        answers = run(call(self.port, islice(requests, calls), at_once=AT_ONCE))
        seconds, spent = time.perf_counter() - began, cpu_seconds(self.process) - cpu
        return Rate(per_second=calls / seconds, cpu_us=1e6 * spent / calls, answers=answers)


@frozen(kw_only=True)
class Rate:
    """Answers a second, the server's CPU time for each, and what was answered."""

    per_second: float
    cpu_us: float
    answers: Sequence[bytes]


def _measure(api: Server, echo: Server, calls: int) -> dict[str, float]:
    body = json.dumps(JOB).encode()
    echo_post = echo.post(body, calls)
    create = api.post(body, calls)
    keyed = api.post_under_keys(body, calls)
    echo_get = echo.get(["name"], calls)
    get = api.get([json.loads(answer)["id"] for answer in create.answers], calls)
    return {
        "echo POST/s": echo_post.per_second,
        "create/s": create.per_second,
        "create ratio": create.per_second / echo_post.per_second,
        "create with key/s": keyed.per_second,
        "with key ratio": keyed.per_second / echo_post.per_second,
        "echo GET/s": echo_get.per_second,
        "get/s": get.per_second,
        "get ratio": get.per_second / echo_get.per_second,
        "echo POST µs": echo_post.cpu_us,
        "create µs": create.cpu_us,
        "with key µs": keyed.cpu_us,
        "echo GET µs": echo_get.cpu_us,
        "get µs": get.cpu_us,
    }


def _key(settings: Mapping[str, str]) -> str:
    command = [COMMAND, "keys", "create", "--workspace", "benchmark", "-o", "json"]
    created = subprocess.run(command, env=dict(settings), check=True, capture_output=True, text=True)
    return str(json.loads(created.stdout)["key"])
