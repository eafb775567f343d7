"""A receiver of webhooks that costs little: a raw protocol in a process of its own, asked over its standard input."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from attrs import frozen

from cronhook_server.process import run
from tests.watchdog import WATCHDOG

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
STALLED_SECONDS = 20.0
POLL_SECONDS = 0.1


@frozen(kw_only=True)
class Arrivals:
    """``times`` are seconds since the epoch, ``lateness`` milliseconds after the due instant; both in order.

    ``different`` counts webhook ids; what exceeds it was sent again.
    """

    times: list[float]
    lateness: list[float]
    different: int

    @classmethod
    def of(cls, heads: Sequence[tuple[float, bytes]]) -> "Arrivals":
        due = [(at, field(head, b"cronhook-scheduled-for")) for at, head in heads]
        return cls(
            times=sorted(at for at, _ in heads),
            lateness=sorted(1e3 * (at - datetime.fromisoformat(text.upper()).timestamp()) for at, text in due if text),
            different=len({field(head, b"webhook-id") for _, head in heads}),
        )


def field(head: bytes, name: bytes) -> str:
    _, _, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0].decode()


class Protocol(asyncio.Protocol):
    def __init__(self, arrivals: list[tuple[float, bytes]], delay: float) -> None:
        self._arrivals = arrivals
        self._delay = delay
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower() + b"\r\n"
            size = end + 4 + int(field(head, b"content-length") or 0)
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            self._arrivals.append((time.time(), head))
            self._answer()

    def _answer(self) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)


async def serve(delay: float, hosts: Sequence[str]) -> None:
    """Listens on the same free port of all hosts, writes it, and answers questions until its input ends."""
    loop = asyncio.get_running_loop()
    arrivals: list[tuple[float, bytes]] = []
    port = 0
    for host in hosts:
        server = await loop.create_server(lambda: Protocol(arrivals, delay), host, port, backlog=4096)
        port = server.sockets[0].getsockname()[1]
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(port, flush=True)
    answers: dict[bytes, Callable[[], object]] = {
        b"count": lambda: len(arrivals),
        b"different": lambda: len({field(head, b"webhook-id") for _, head in arrivals}),
        b"report": lambda: [(at, head.decode("latin-1")) for at, head in arrivals],
        b"clear": arrivals.clear,
    }
    while question := await reader.readline():
        print(json.dumps(answers[question.strip()]()), flush=True)


class Receiver:
    """The process, from outside. ``hosts`` are addresses that all answer on `port` after ``delay`` seconds."""

    def __init__(self, process: subprocess.Popen[str], hosts: Sequence[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.hosts = hosts
        self.port = int(process.stdout.readline())

    def url(self, number: int = 0) -> str:
        return f"http://{self.hosts[number % len(self.hosts)]}:{self.port}/hook"

    def clear(self) -> None:
        self._ask("clear")

    def count(self) -> int:
        return int(self._ask("count"))

    def wait_for(self, count: int, *, different: bool = False) -> Arrivals:
        """All arrivals, when there are so many (``different`` ones, if need be) or nothing more came for a while."""
        seen, changed = -1, time.monotonic()
        question = "different" if different else "count"
        while (now := self._ask(question)) < count and time.monotonic() - changed < STALLED_SECONDS:
            if now != seen:
                seen, changed = now, time.monotonic()
            time.sleep(POLL_SECONDS)
        return Arrivals.of([(at, head.encode("latin-1")) for at, head in self._ask("report")])

    def _ask(self, question: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def receiving(*, delay: float = 0.0, hosts: Sequence[str] = ("127.0.0.1",)) -> Iterator[Receiver]:
    command = [sys.executable, "-m", "benchmarks.receiver", str(delay), *hosts]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        WATCHDOG.watch_process(process.pid)
        try:
            yield Receiver(process, hosts)
        finally:
            process.kill()


if __name__ == "__main__":
    run(serve(float(sys.argv[1]), sys.argv[2:]))
