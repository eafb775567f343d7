"""What a soak has recorded, as a history that the oracle can judge."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from tests.faults.history import Bounds, Fault, FaultLog, History, Row, Text
from tests.faults.records import gone_acts, in_order, read_postgres
from tests.faults.soak.fleet import Fleet
from tests.faults.soak.injector import Happened
from tests.faults.soak.kinds import POSTGRES, WORKERS, parts
from tests.faults.soak.users import Users
from tests.faults.soak.watch import Watch

BOUNDS = Bounds(planning=timedelta(seconds=25), held=timedelta(seconds=12), memory_bytes=400_000_000)
"""`planning`: instants so shortly before a change are moot, for planning may have had to wait for the database."""
QUIET_LATENESS = BOUNDS.lateness.total_seconds()
FORETASTE = timedelta(seconds=3)
AFTERMATH = timedelta(seconds=6)
REGISTERING_TAKES = timedelta(seconds=2)
WRITES_TAKE = timedelta(seconds=1)
"""Within this time of its end, a result may have waited to be written."""


STOPS = ("SIGTERM", "stop x3")
"""The kinds that stop a process in order."""


@attrs.frozen
class Registration:
    at: datetime
    worker_id: str


def history_of(fleet: Fleet, users: Users, watch: Watch, happened: Sequence[Happened], taken_at: datetime) -> History:
    database = read_postgres(fleet.database_url)
    arrivals = fleet.receiver.arrivals
    logs = [Text(name, process.log()) for name, process in fleet.processes.items()]
    registrations = {name: registered(fleet, name) for name in WORKERS}
    silent = unannounced(database.workers, registrations.values())
    return History(
        acts=in_order(users.acts, gone_acts(database)),
        database=database,
        arrivals=arrivals,
        fault_log=FaultLog(
            faults=faults_of(happened, database.attempts, registrations, silent),
            texts=[*logs, Text(POSTGRES, fleet.postgres.log())],
            answers=users.answers,
            probes=watch.probes,
            memory=watch.memory,
            planted_secrets=fleet.secrets,
        ),
        taken_at=taken_at,
    )


def registered(fleet: Fleet, name: str) -> list[Registration]:
    """Under which ids the worker was known, by its log."""
    events = fleet.processes[name].events("worker_registered")
    return [Registration(datetime.fromisoformat(event["timestamp"]), event["worker_id"]) for event in events]


def unannounced(workers: Iterable[Row], registrations: Iterable[Sequence[Registration]]) -> list[Registration]:
    """Registrations whose worker could not say so any more."""
    announced = {registration.worker_id for known in registrations for registration in known}
    return [Registration(row["registered_at"], row["id"]) for row in workers if row["id"] not in announced]


def ids_between(registrations: Sequence[Registration], began: datetime, ended: datetime) -> frozenset[str]:
    """The id that was in force at the beginning, and all that came until the end."""
    later = bisect_right(registrations, began, key=lambda registration: registration.at)
    return frozenset(r.worker_id for r in registrations[max(0, later - 1) :] if r.at <= ended)


def faults_of(
    happened: Sequence[Happened],
    attempts: Sequence[Row],
    registrations: Mapping[str, Sequence[Registration]],
    silent: Sequence[Registration] = (),
) -> list[Fault]:
    """Each with what was in flight when it hit, and the lateness that it and those beside it may cause.

    What hit several processes is a fault of each.
    """
    return [
        Fault(
            kind=fault.planned.kind.name,
            target=fault.target,
            began=fault.began,
            ended=fault.ended,
            hard=is_hard(fault, happened),
            sends_in_flight=len(list(_in_flight(fault, attempts, _ids_hit(fault, registrations)))),
            workers=_ids_hit(fault, registrations) | _cut_short(fault, silent)
            if is_hard(fault, happened)
            else frozenset(),
            orderly=_is_orderly(fault, happened),
            lateness=_lateness(whole, happened),
            jobs=fault.jobs,
            aftermath=AFTERMATH,
            foretaste=FORETASTE,
        )
        for whole in sorted(happened, key=lambda fault: fault.began)
        for fault in (attrs.evolve(whole, target=part) for part in parts(whole.target))
    ]


def is_hard(fault: Happened, happened: Sequence[Happened]) -> bool:
    """A worker that must end while it cannot reach the database keeps results that nobody will ever write."""
    if fault.planned.kind.name != "SIGTERM" or fault.target not in WORKERS:
        return fault.planned.kind.hard
    return _cannot_write(fault, happened)


def _is_orderly(fault: Happened, happened: Sequence[Happened]) -> bool:
    """Whether it stopped workers in order, and they could say what they had not finished."""
    stops = fault.planned.kind.name in STOPS and fault.target in WORKERS
    return stops and not _cannot_write(fault, happened)


def _cannot_write(fault: Happened, happened: Sequence[Happened]) -> bool:
    unreachable = (POSTGRES, f"{fault.target} to {POSTGRES}")
    return any(other.target in unreachable and overlap(fault, other) for other in happened)


def overlap(one: Happened, other: Happened) -> bool:
    return one.began <= other.ended and other.began <= one.ended


def _worker_hit(fault: Happened) -> str | None:
    name = fault.target.partition(" to ")[0]
    return name if name in WORKERS else None


def _ids_hit(fault: Happened, registrations: Mapping[str, Sequence[Registration]]) -> frozenset[str]:
    name = _worker_hit(fault)
    return frozenset() if name is None else ids_between(registrations[name], fault.began, fault.hit)


def _cut_short(fault: Happened, silent: Sequence[Registration]) -> frozenset[str]:
    """Registrations that this fault of a worker may have cut short."""
    ids = (r.worker_id for r in silent if fault.began - REGISTERING_TAKES <= r.at <= fault.hit)
    return frozenset(ids) if _worker_hit(fault) else frozenset()


def _in_flight(fault: Happened, attempts: Sequence[Row], workers: frozenset[str]) -> Iterator[Row]:
    """Attempts under way at that time: those of the workers that were hit, or all; unwritten results included."""
    of_one_worker = _worker_hit(fault) is not None
    for attempt in attempts:
        if attempt["started_at"] > fault.hit or attempt["outcome"] == "released":
            continue
        ended = attempt["finished_at"]
        waited = WRITES_TAKE if attempt["late"] else timedelta()
        if (ended is None or ended + waited > fault.began) and (not of_one_worker or attempt["worker_id"] in workers):
            yield attempt


def _lateness(fault: Happened, happened: Sequence[Happened]) -> timedelta:
    """What each of those that overlap costs, beside what is allowed at quiet times; but for those of other jobs."""
    beside = (other for other in happened if other is not fault and other.jobs is None and overlap(fault, other))
    return timedelta(seconds=QUIET_LATENESS + _cost(fault) + sum(_cost(other) for other in beside))


def _cost(fault: Happened) -> float:
    lasted = (fault.ended - fault.began).total_seconds() if fault.planned.kind.delays_for_its_time else 0.0
    return fault.planned.kind.costs + lasted
