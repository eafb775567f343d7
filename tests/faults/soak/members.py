"""Bad members: what must trouble nobody but itself, or all for a bounded time, and how it is brought about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from signal import SIGTERM

import attrs
import httpx
import psycopg

from tests.faults.soak.breaking import EXIT_SECONDS, WrongExit
from tests.faults.soak.fleet import HOSTS, Fleet
from tests.faults.soak.kinds import BURST_LEADS, WORKERS
from tests.faults.soak.plan import PlannedFault
from tests.faults.soak.users import Users
from tests.services import wait_until

STOPS = 3
SLOW_SEND = "/slow/12"
CLAIMED_WITHIN = 10.0
BLOCKED_WITHIN = 1.5
"""Seconds. The API gives up after 2 s."""
LONG_PAYLOAD = 200_000
REDIS_GONE_BEFORE = timedelta(seconds=1)
LOCK = """
    SELECT id FROM jobs WHERE status = 'active' AND next_run > now() AND next_run < now() + interval '5 s'
    ORDER BY next_run LIMIT 1 FOR UPDATE SKIP LOCKED
"""
"""The job that is due next."""
WRITERS_BLOCKED = """
    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT jobs.%FOR UPDATE%'
"""
"""Sessions of the API that wait for the row, in the midst of a transaction; others may wait before them."""


@attrs.frozen(kw_only=True)
class Hit:
    """When it hit, and the jobs that it may delay; None: all."""

    at: datetime
    jobs: frozenset[str] | None = None


Member = Callable[[Fleet, Users, PlannedFault], AbstractContextManager[Hit]]
"""Brings the trouble about, and ends it at the end of the block."""


@contextmanager
def lock_row(fleet: Fleet, users: Users, fault: PlannedFault) -> Iterator[Hit]:
    """A session of somebody else's holds the row of a due job."""
    with ExitStack() as stack:
        hit_at = datetime.now(UTC)
        yield Hit(at=hit_at, jobs=_lock_due_row(fleet, stack))


@contextmanager
def stop_in_patch(fleet: Fleet, users: Users, fault: PlannedFault) -> Iterator[Hit]:
    """The API stands still while its transaction holds the row of a due job, which it had to wait for."""
    api = fleet.processes["api"]
    with ExitStack() as stack:
        hit_at = datetime.now(UTC)
        with ExitStack() as locking:
            jobs = _lock_due_row(fleet, locking)
            for job_id in jobs:
                patching = threading.Thread(target=_patch, args=[fleet, job_id], daemon=True)
                patching.start()
                stack.callback(patching.join)
                _wait_until_blocked(fleet)
            api.suspend()
            stack.callback(api.resume)
        yield Hit(at=hit_at, jobs=jobs)


@contextmanager
def stop_repeatedly(fleet: Fleet, users: Users, fault: PlannedFault) -> Iterator[Hit]:
    """All workers are stopped in order and started again, three times during one slow send."""
    slow = users.burst(1, path=SLOW_SEND, hosts=HOSTS[:1], leads=1, timeout_seconds=30)
    hit_at = None
    for number in range(STOPS):
        if number:
            fleet.start_again(*WORKERS)
        _wait_until_claimed(fleet, slow.jobs)
        hit_at = hit_at or datetime.now(UTC)
        _stop_at_once(fleet)
    yield Hit(at=hit_at or datetime.now(UTC))
    fleet.start_again(*WORKERS)


@contextmanager
def send_long_payloads(fleet: Fleet, users: Users, fault: PlannedFault) -> Iterator[Hit]:
    """Many at one instant, to one host."""
    burst = users.burst(
        round(fault.size), path="/ok", hosts=HOSTS[:1], leads=BURST_LEADS, payload={"long": "x" * LONG_PAYLOAD}
    )
    yield Hit(at=_wait_for(burst.due_at), jobs=burst.jobs)


@contextmanager
def fill_slots(fleet: Fleet, users: Users, fault: PlannedFault) -> Iterator[Hit]:
    """So many slow sends at one instant that no slot is left."""
    burst = users.burst(round(fault.size), path="/slow/5", hosts=HOSTS, leads=BURST_LEADS)
    yield Hit(at=_wait_for(burst.due_at))


@contextmanager
def backlog_without_redis(fleet: Fleet, users: Users, fault: PlannedFault) -> Iterator[Hit]:
    """Much is due on one host at one instant, and no message can tell of it."""
    burst = users.burst(round(fault.size), path="/between/0.02/0.2/ok", hosts=HOSTS[:1], leads=BURST_LEADS)
    hit_at = _wait_for(burst.due_at - REDIS_GONE_BEFORE)
    fleet.redis.kill()
    try:
        yield Hit(at=hit_at, jobs=burst.jobs)
    finally:
        fleet.redis.start()


def _wait_for(instant: datetime) -> datetime:
    """Now, once the instant has come."""
    threading.Event().wait(max(0.0, (instant - datetime.now(UTC)).total_seconds()))
    return datetime.now(UTC)


def _lock_due_row(fleet: Fleet, stack: ExitStack) -> frozenset[str]:
    """The job whose row is locked until the stack ends; none where none is due soon, or the database is away."""
    with suppress(psycopg.OperationalError):
        session = psycopg.connect(fleet.database_url)
        stack.callback(session.close)
        return frozenset(str(job_id) for (job_id,) in session.execute(LOCK).fetchall())
    return frozenset()


def _patch(fleet: Fleet, job_id: str) -> None:
    """A change that says nothing of when the job runs; whether it is answered does not matter."""
    with suppress(httpx.HTTPError):
        httpx.patch(
            f"{fleet.api_url}/v1/jobs/{job_id}",
            json={"name": "patched while its row was locked"},
            headers={"x-api-key": fleet.api_key},
            timeout=20,
        )


def _wait_until_blocked(fleet: Fleet) -> None:
    """Or until it is clear that it will not be: the API may be away itself."""
    with suppress(TimeoutError, psycopg.OperationalError):
        wait_until(lambda: fleet.count(WRITERS_BLOCKED) > 0, BLOCKED_WITHIN, "the API waits for the row")


def _wait_until_claimed(fleet: Fleet, jobs: frozenset[str]) -> None:
    """Or until it is clear that no worker can claim it now: the database, or a worker's way to it, may be away."""
    query = f"SELECT count(*) FROM claims WHERE job_id IN ({', '.join(repr(job_id) for job_id in jobs)})"
    with suppress(TimeoutError, psycopg.OperationalError):
        if jobs:
            wait_until(lambda: fleet.count(query) > 0, CLAIMED_WITHIN, "a worker has claimed the slow send")


def _stop_at_once(fleet: Fleet) -> None:
    """A second signal, so that what is under way is cut off."""
    stopping = [(name, fleet.processes[name], fleet.processes[name].log_size()) for name in WORKERS]
    for _, process, _ in stopping:
        process.terminate()
    for name, process, size in stopping:
        process.wait_for_line('"stopping"', EXIT_SECONDS, after=size)
        if process.running:
            with suppress(ProcessLookupError):
                process.signal(SIGTERM)
        if (code := process.wait(EXIT_SECONDS)) != 0:
            raise WrongExit(f"{name} was asked to end, and ended with {code}")


MEMBERS: dict[str, Member] = {
    "row lock": lock_row,
    "stop in a PATCH": stop_in_patch,
    "stop x3": stop_repeatedly,
    "long payloads": send_long_payloads,
    "full slots": fill_slots,
    "backlog without redis": backlog_without_redis,
}
"""By the kind's name."""
