"""Stores jobs in bulk, past the API: what is measured is their delivery."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random

from attrs import frozen
from sqlalchemy import Engine, insert, select, text

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.sql.account_rows import workspace_values
from cronhook_core.backends.sql.engines import engine_for
from cronhook_core.backends.sql.rows import job_values
from cronhook_core.backends.sql.tables import jobs, workspaces
from cronhook_core.domain.ids import new_id
from cronhook_core.domain.job import Job, JobDefinition, JobStatus
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.domain.workspace import Workspace

AT_ONCE = 5_000
LEAD = timedelta(seconds=4)
PAYLOAD = b'{"hello":"world"}'
_RANDOM = Random(1)
_CLOCK = SystemClock()


@frozen
class Seeder:
    """Writes jobs of one workspace."""

    _engine: Engine
    _workspace_id: str

    def one_time(self, count: int, url: Callable[[int], str], due: Callable[[int], datetime]) -> None:
        """``count`` jobs; ``url`` and ``due`` say where and when number n goes."""
        self._store(count, lambda number: self._job(OneTimeSchedule(due(number)), url(number), due(number)))

    def cron(self, count: int, url: str, lines: Sequence[str], due: datetime) -> None:
        """``count`` jobs that take turns in ``lines`` and are all due."""
        schedules = [CronSchedule(line) for line in lines]
        self._store(count, lambda number: self._job(schedules[number % len(schedules)], url, due))

    def analyze(self) -> None:
        """As autovacuum does after a while."""
        with self._engine.begin() as connection:
            connection.execute(text("ANALYZE"))

    def _store(self, count: int, made: Callable[[int], Job]) -> None:
        for start in range(0, count, AT_ONCE):
            rows = [job_values(made(number)) for number in range(start, min(count, start + AT_ONCE))]
            with self._engine.begin() as connection:
                connection.execute(insert(jobs), rows)

    def _job(self, schedule: Schedule, url: str, next_run: datetime) -> Job:
        now = _CLOCK.now()
        return Job(
            id=new_id("job", now, _RANDOM),
            workspace_id=self._workspace_id,
            definition=JobDefinition(name="benchmark", schedule=schedule, callback_url=url, payload=PAYLOAD),
            host=url.split("/")[2].split(":")[0],
            status=JobStatus.ACTIVE,
            next_run=next_run,
            created_at=now,
            updated_at=now,
        )


@contextmanager
def seeding(database_url: str) -> Iterator[Seeder]:
    engine = engine_for(database_url)
    workspace = Workspace(id=new_id("wsp", _CLOCK.now(), _RANDOM), name="benchmark", created_at=_CLOCK.now())
    try:
        with engine.begin() as connection:
            known = connection.execute(select(workspaces.c.id).where(workspaces.c.name == workspace.name)).scalar()
            if known is None:
                connection.execute(insert(workspaces).values(workspace_values(workspace)))
        yield Seeder(engine, known or workspace.id)
    finally:
        engine.dispose()
