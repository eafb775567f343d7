"""The oracle's word on an installation, once all that was under way has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx

from tests.faults.history import Act, Bounds, Fault, FaultLog, History, Text, Violation
from tests.faults.installation import Installation
from tests.faults.oracle import CHECKS, judge
from tests.faults.processes import CronhookProcess
from tests.faults.records import ended_acts, gone_acts, in_order, read_postgres
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.timeliness_checks import class_name, lateness_by_class, quantile
from tests.open_rows import assert_what_is_open_is_listed

LONG = timedelta(minutes=2)
"""How late may be what is sent on a machine that also does other things."""
HELD = timedelta(seconds=12)
"""For how long beyond its deadline, and beside the time of faults, an attempt may have been under way."""


def allowed(full: bool, seconds: float) -> timedelta:
    """How late first attempts may be, 99 times in a hundred, where tests have the machine to themselves."""
    return timedelta(seconds=seconds) if full else LONG


def worker_ids(*workers: CronhookProcess) -> frozenset[str]:
    """All ids under which these were ever registered."""
    return frozenset(event["worker_id"] for worker in workers for event in worker.events("worker_registered"))


def hard(kind: str, sends: int, *workers: CronhookProcess, began: datetime, lateness: timedelta = LONG) -> Fault:
    """Something that may repeat so many deliveries, and that these workers did not survive, or not in trust."""
    return Fault(
        kind=kind,
        target="worker",
        began=began,
        ended=datetime.now(UTC),
        hard=True,
        sends_in_flight=sends,
        workers=worker_ids(*workers),
        lateness=lateness,
    )


def verdict(
    installation: Installation,
    receiver: ScriptedReceiver,
    acts: Sequence[Act],
    *,
    faults: Iterable[Fault] = (),
    lateness: timedelta = LONG,
    within: float = 60.0,
    but: Iterable[str] = (),
) -> list[Violation]:
    """All that is wrong after the end of everything; `but` some invariants that the fault cannot keep."""
    installation.wait_until_done(within)
    assert_what_is_open_is_listed(installation.rows)
    with suppress(httpx.TransportError):  # not every test has an API at its end
        installation.show_jobs()
    database = read_postgres(installation.postgres_url)
    history = History(
        acts=in_order(acts, gone_acts(database), ended_acts(database)),
        database=database,
        arrivals=receiver.arrivals,
        fault_log=FaultLog(
            faults=list(faults),
            texts=[Text(f"process {number}", p.log()) for number, p in enumerate(installation.processes)],
            answers=installation.answers,
        ),
        taken_at=datetime.now(UTC),
    )
    bounds = Bounds(lateness=lateness, planning=timedelta(seconds=30), held=HELD)
    tell_lateness(history, bounds)
    return judge(history, bounds, only=[name for name in CHECKS if name not in {"I18", *but}])


def tell_lateness(history: History, bounds: Bounds) -> None:
    """For whoever wants to know how near to its bound a run came."""
    for name, late in lateness_by_class(history, class_name).items():
        worst = quantile(late, bounds.lateness_quantile).total_seconds()
        print(f"late by {worst:.3f} s at {bounds.lateness_quantile}, {max(late).total_seconds():.3f} s at most: {name}")
