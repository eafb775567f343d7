"""How each kind of fault is brought about, and mended again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import redis

from tests.faults.chaos_proxy import Mode
from tests.faults.soak.fleet import Fleet
from tests.faults.soak.kinds import DAEMONS, POSTGRES, RECEIVER, REDIS
from tests.faults.soak.plan import PlannedFault
from tests.services import ServerProcess

EXIT_SECONDS = 60.0
FLUSH_EVERY = 2.0

Break = Callable[[Fleet, PlannedFault, str], AbstractContextManager[None]]
"""Breaks the target as planned; mends it at the end of the block."""


class WrongExit(Exception):
    """A process that was asked to end did not end well."""


@contextmanager
def kill(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    if target in DAEMONS:
        fleet.processes[target].kill()
        yield
        fleet.start_again(target)
    else:
        server = _server(fleet, target)
        server.kill()
        yield
        server.start()


@contextmanager
def terminate(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    process = fleet.processes[target]
    process.terminate()
    yield
    code = process.wait(EXIT_SECONDS)
    fleet.start_again(target)
    if code != 0:
        raise WrongExit(f"{target} was asked to end, and ended with {code}")


@contextmanager
def suspend(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    stopped = fleet.processes[target] if target in DAEMONS else _server(fleet, target)
    stopped.suspend()
    try:
        yield
    finally:
        stopped.resume()


@contextmanager
def restart(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    fleet.postgres.restart("immediate" if fault.kind.name == "crash" else "fast")
    yield


@contextmanager
def outage(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    fleet.postgres.stop()
    yield
    fleet.postgres.start()


@contextmanager
def flush(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    """Several times, where so often was drawn."""
    pause = threading.Event()
    for number in range(round(fault.size)):
        if number:
            pause.wait(FLUSH_EVERY)
        with suppress(redis.RedisError), redis.Redis.from_url(fleet.redis.url) as client:
            client.flushall()
    yield


@contextmanager
def cut(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    fleet.link(target).cut()
    yield


@contextmanager
def lose_answers(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    fleet.link(target).lose_answer(times=round(fault.size))
    yield


def _mode(mode: Mode) -> Break:
    @contextmanager
    def change(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
        proxy = fleet.link(target)
        proxy.set(mode, seconds=fault.size)
        try:
            yield
        finally:
            proxy.set(Mode.PASS)

    return change


@contextmanager
def lose(fleet: Fleet, fault: PlannedFault, target: str) -> Iterator[None]:
    """Nobody listens, and what was connected is cut off."""
    proxy = fleet.link(target)
    proxy.set(Mode.REFUSE)
    proxy.cut()
    try:
        yield
    finally:
        proxy.set(Mode.PASS)


def _server(fleet: Fleet, target: str) -> ServerProcess:
    return {POSTGRES: fleet.postgres, REDIS: fleet.redis, RECEIVER: fleet.receiver}[target]


BREAKS: dict[str, Break] = {
    "kill -9": kill,
    "SIGTERM": terminate,
    "SIGSTOP": suspend,
    "fast restart": restart,
    "crash": restart,
    "outage": outage,
    "FLUSHALL": flush,
    "cut": cut,
    "lost answers": lose_answers,
    "latency": _mode(Mode.DELAY),
    "silence": _mode(Mode.BLACKHOLE),
    "loss of": lose,
}
"""By the kind's name."""
