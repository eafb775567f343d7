"""The faults that a soak draws from, and what each of them may cost."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

SCHEDULERS = ("scheduler-1", "scheduler-2", "scheduler-3")
WORKERS = ("worker-1", "worker-2")
DAEMONS = (*SCHEDULERS, *WORKERS, "api")
LEADER = "leader"
"""Whichever scheduler leads when the fault hits."""
ALL_WORKERS = "workers"
POSTGRES, REDIS, RECEIVER, NAMES = "postgres", "redis", "receiver", "name server"
ROW, LOAD = "job row", "load"
"""What is no process: the row of a due job, and what is sent."""
BURST_LEADS = 15.0
"""Seconds between the beginning of a burst and its instant, in which its jobs are stored."""


def parts(target: str) -> tuple[str, ...]:
    """The targets that are hit, one by one."""
    return WORKERS if target == ALL_WORKERS else (target,)


def link(daemon: str, server: str) -> str:
    return f"{daemon} to {server}"


def links(daemons: Sequence[str], server: str) -> tuple[str, ...]:
    return tuple(link(daemon, server) for daemon in daemons)


@attrs.frozen(kw_only=True)
class Kind:
    """A fault that can hit any of `targets` and lasts between `shortest` and `longest` seconds.

    `hard`: it may repeat deliveries that were in flight. `costs` is by how many seconds it may delay what is due,
    beside the time that it lasts (`delays_for_its_time`); faults that overlap add up. `size` is drawn with it: how
    often, how many, or by how many seconds. `weight` is how often it is drawn, beside others. It takes `prepares`
    seconds to get ready before it hits. `of_some_jobs`: it may delay jobs that it hits itself, and no others.
    """

    name: str
    targets: tuple[str, ...]
    shortest: float = 0.0
    longest: float = 0.0
    hard: bool = False
    costs: float = 0.0
    delays_for_its_time: bool = False
    sizes: tuple[float, float] = (0.0, 0.0)
    weight: int = 1
    prepares: float = 0.0
    of_some_jobs: bool = False

    @property
    def family(self) -> str:
        """Its name, and what it hits, without the number: the class that the card shows."""
        sort = self.targets[0].replace("-1", "").replace(LEADER, "scheduler")
        return f"{self.name} {sort}"


KINDS = (
    Kind(name="kill -9", targets=(LEADER, *SCHEDULERS), shortest=0.5, longest=3, costs=2, weight=4),
    Kind(
        name="kill -9", targets=WORKERS, shortest=0.3, longest=3, hard=True, costs=4, delays_for_its_time=True, weight=4
    ),
    Kind(name="kill -9", targets=("api",), shortest=0.2, longest=1, weight=2),
    Kind(name="SIGTERM", targets=(LEADER, *SCHEDULERS), costs=1, weight=2),
    Kind(name="SIGTERM", targets=WORKERS, costs=16, weight=2),
    Kind(name="SIGTERM", targets=("api",)),
    Kind(name="SIGSTOP", targets=(LEADER, *SCHEDULERS), shortest=1, longest=8, costs=2, weight=3),
    Kind(name="SIGSTOP", targets=WORKERS, shortest=1, longest=12, hard=True, costs=2, weight=3),
    Kind(name="SIGSTOP", targets=("api",), shortest=0.5, longest=2),
    Kind(name="fast restart", targets=(POSTGRES,), costs=5, delays_for_its_time=True, weight=3),
    Kind(name="crash", targets=(POSTGRES,), costs=5, delays_for_its_time=True, weight=3),
    Kind(name="outage", targets=(POSTGRES,), shortest=1, longest=8, costs=5, delays_for_its_time=True, weight=3),
    Kind(name="cut", targets=links(DAEMONS, POSTGRES), costs=2, weight=4),
    Kind(name="lost answers", targets=links(DAEMONS, POSTGRES), sizes=(1, 6), costs=4, weight=5),
    Kind(
        name="latency",
        targets=links((*SCHEDULERS, *WORKERS), POSTGRES),
        shortest=2,
        longest=8,
        sizes=(0.02, 0.2),
        costs=5,
        weight=3,
    ),
    Kind(
        name="silence",
        targets=links((*SCHEDULERS, *WORKERS), POSTGRES),
        shortest=0.5,
        longest=4,
        costs=5,
        delays_for_its_time=True,
        weight=3,
    ),
    Kind(
        name="loss of",
        targets=links(WORKERS, POSTGRES),
        shortest=9,
        longest=13,
        hard=True,
        costs=3,
        weight=2,
    ),
    Kind(name="kill -9", targets=(REDIS,), shortest=0.3, longest=6, costs=1.5, weight=4),
    Kind(name="SIGSTOP", targets=(REDIS,), shortest=0.5, longest=5, costs=1.5, weight=3),
    Kind(name="FLUSHALL", targets=(REDIS,), sizes=(1, 4), costs=1.5, weight=3),
    Kind(name="cut", targets=links(DAEMONS, REDIS), costs=1.5, weight=2),
    Kind(name="lost answers", targets=links((*SCHEDULERS, *WORKERS), REDIS), sizes=(1, 6), costs=1.5, weight=3),
    Kind(
        name="latency",
        targets=links((*SCHEDULERS, *WORKERS), REDIS),
        shortest=2,
        longest=6,
        sizes=(0.05, 2),
        costs=1.5,
        weight=2,
    ),
    Kind(
        name="loss of",
        targets=links((*SCHEDULERS, *WORKERS), REDIS),
        shortest=1,
        longest=8,
        costs=1.5,
        weight=3,
    ),
    Kind(
        name="row lock",
        targets=(ROW,),
        shortest=3,
        longest=15,
        costs=3,
        delays_for_its_time=True,
        weight=4,
        of_some_jobs=True,
    ),
    Kind(
        name="stop in a PATCH",
        targets=("api",),
        shortest=3,
        longest=7,
        costs=3,
        delays_for_its_time=True,
        weight=3,
        of_some_jobs=True,
    ),
    Kind(name="stop x3", targets=(ALL_WORKERS,), hard=True, costs=4, delays_for_its_time=True),
    Kind(name="long payloads", targets=(LOAD,), sizes=(50, 150), costs=5, weight=2, prepares=BURST_LEADS),
    Kind(name="full slots", targets=(LOAD,), sizes=(1000, 1100), costs=10, prepares=BURST_LEADS),
    Kind(
        name="backlog without redis",
        targets=(REDIS,),
        shortest=5,
        longest=8,
        sizes=(800, 1600),
        costs=10,
        delays_for_its_time=True,
        weight=2,
        prepares=BURST_LEADS,
        of_some_jobs=True,
    ),
    Kind(name="kill -9", targets=(RECEIVER,), shortest=0.3, longest=3, hard=True, costs=1, delays_for_its_time=True),
    Kind(name="SIGSTOP", targets=(RECEIVER,), shortest=0.5, longest=4, hard=True, costs=1, delays_for_its_time=True),
)
