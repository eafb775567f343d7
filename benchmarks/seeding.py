"""Stores jobs in bulk, past the API: what is measured is their delivery."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random

from attrs import frozen
from sqlalchemy import Engine, Text, cast, func, insert, literal, select, text, true

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.sql.account_rows import workspace_values
from cronhook_core.backends.sql.engines import engine_for
from cronhook_core.backends.sql.rows import job_values
from cronhook_core.backends.sql.tables import claims, jobs, open_jobs, timetable
from cronhook_core.backends.sql.tables import workspaces as stored
from cronhook_core.domain.ids import new_id
from cronhook_core.domain.job import Job, JobDefinition, JobStatus
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.domain.workspace import Workspace

AT_ONCE = 5_000
HOSTS = 50
"""So many jobs in a row are one workspace's: where the hosts take turns too, each of these calls all of them."""
LEAD = timedelta(seconds=4)
STORED_PER_SECOND = 2_500
PAYLOAD = b'{"hello":"world"}'
_RANDOM = Random(1)
_CLOCK = SystemClock()


FAR_AHEAD = timedelta(days=365)


@frozen
class Seeder:
    """Writes jobs, in turns for each of the workspaces."""

    _engine: Engine
    _workspace_ids: Sequence[str]

    def one_time(self, count: int, url: Callable[[int], str], due: Callable[[int], datetime]) -> None:
        """``count`` jobs; ``url`` and ``due`` say where and when number n goes."""
        self._store(count, lambda n: self._job(n, OneTimeSchedule(due(n)), url(n), due(n)))

    def cron(self, count: int, url: str, lines: Sequence[str], due: datetime) -> None:
        """``count`` jobs that take turns in ``lines`` and are all due."""
        schedules = [CronSchedule(line) for line in lines]
        self._store(count, lambda n: self._job(n, schedules[n % len(schedules)], url, due))

    def far_ahead(self, count: int, url: str) -> None:
        """``count`` one-time jobs a year ahead, copied by the database itself: a million in less than a minute."""
        due = _CLOCK.now() + FAR_AHEAD
        pattern = self._job(0, OneTimeSchedule(due), url, due)
        copied = [column for column in jobs.c if column is not jobs.c.id]
        numbers = func.generate_series(1, count - 1).table_valued("number", name="numbers").render_derived()
        copies = select(literal("job_0").concat(func.lpad(cast(numbers.c.number, Text), 25, "0")), *copied)
        with self._engine.begin() as connection:
            connection.execute(insert(jobs).values(job_values(pattern)))
            if count > 1:
                columns = ["id", *(column.name for column in copied)]
                connection.execute(
                    insert(jobs).from_select(
                        columns, copies.select_from(jobs.join(numbers, true())).where(jobs.c.id == pattern.id)
                    )
                )
            for table, columns in (
                (timetable, (jobs.c.next_run, jobs.c.id)),
                (open_jobs, (jobs.c.workspace_id, jobs.c.id)),
            ):
                listed = select(*columns).where(jobs.c.next_run == due)
                connection.execute(insert(table).from_select(table.c.keys(), listed))

    def running(self) -> int:
        """How many executions are claimed at this moment."""
        with self._engine.begin() as connection:
            return connection.execute(select(func.count()).select_from(claims)).scalar_one()

    def analyze(self) -> None:
        """What was stored here, as autovacuum does after a while; it leaves tables alone that nobody wrote."""
        with self._engine.begin() as connection:
            for table in (jobs, timetable, open_jobs):
                connection.execute(text(f"ANALYZE {table.name}"))

    def _store(self, count: int, made: Callable[[int], Job]) -> None:
        for start in range(0, count, AT_ONCE):
            stored_now = [made(number) for number in range(start, min(count, start + AT_ONCE))]
            with self._engine.begin() as connection:
                connection.execute(insert(jobs), [job_values(job) for job in stored_now])
                due = [{"next_run": job.next_run, "job_id": job.id} for job in stored_now]
                connection.execute(insert(timetable), due)
                counted = [{"workspace_id": job.workspace_id, "job_id": job.id} for job in stored_now]
                connection.execute(insert(open_jobs), counted)

    def _job(self, number: int, schedule: Schedule, url: str, next_run: datetime) -> Job:
        now = _CLOCK.now()
        return Job(
            id=new_id("job", now, _RANDOM),
            workspace_id=self._workspace_ids[number // HOSTS % len(self._workspace_ids)],
            definition=JobDefinition(name="benchmark", schedule=schedule, callback_url=url, payload=PAYLOAD),
            host=url.split("/")[2].split(":")[0],
            status=JobStatus.ACTIVE,
            next_run=next_run,
            created_at=now,
            updated_at=now,
        )


def due_after_storing(count: int) -> datetime:
    """An instant by which so many jobs are stored, also on a busy machine."""
    return _CLOCK.now() + LEAD + timedelta(seconds=count / STORED_PER_SECOND)


@contextmanager
def seeding(database_url: str, *, workspaces: int = 1) -> Iterator[Seeder]:
    engine = engine_for(database_url)
    try:
        yield Seeder(engine, [_workspace(engine, f"benchmark-{number}") for number in range(workspaces)])
    finally:
        engine.dispose()


def _workspace(engine: Engine, name: str) -> str:
    """The id of the workspace, which is made where it is missing."""
    workspace = Workspace(id=new_id("wsp", _CLOCK.now(), _RANDOM), name=name, created_at=_CLOCK.now())
    with engine.begin() as connection:
        known = connection.execute(select(stored.c.id).where(stored.c.name == name)).scalar()
        if known is None:
            connection.execute(insert(stored).values(workspace_values(workspace)))
    return known or workspace.id
