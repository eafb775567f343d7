"""Several processes on one file, and processes that are killed."""

import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path

from cronhook_core.backends.sqlite import SqliteDatabase, SqliteJobStore
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import JobStatus
from cronhook_core.domain.workspace import Workspace
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.testing.builders import MINUTE, NOW, make_job
from tests.integration.sqlite.processes import BEGUN, all_lines, next_line, program, start

INSTANTS = 15
JOBS = 12
KILLS = 5
FILES = 60


async def test_four_processes_may_make_the_file_at_once(path: Path) -> None:
    async with AsyncExitStack() as stack:
        openers = [await stack.enter_async_context(program("open", str(path))) for _ in range(4)]
        for opener in openers:
            start(opener)
        assert [await opener.wait() for opener in openers] == [0, 0, 0, 0]


async def test_of_those_who_make_a_file_at_once_none_is_refused(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        makers = [await stack.enter_async_context(program("make", str(tmp_path))) for _ in range(4)]
        for _ in range(FILES):
            for maker in makers:
                start(maker)
            assert [await next_line(maker) for maker in makers] == ["wal"] * len(makers)


async def test_eight_planners_in_two_processes_make_one_execution_per_instant(
    path: Path, store: SqliteJobStore, workspace: Workspace
) -> None:
    jobs = [make_job(workspace.id) for _ in range(JOBS)]
    for job in jobs:
        await store.create_job(job, max_jobs=None, now=NOW)
    until = NOW + INSTANTS * MINUTE
    async with AsyncExitStack() as stack:
        planners = [await stack.enter_async_context(program("plan", str(path), until.isoformat())) for _ in range(2)]
        for planner in planners:
            start(planner)
        for planner in planners:
            assert await next_line(planner) == BEGUN
        for planner in planners:
            start(planner)
        shares = [await all_lines(planner) for planner in planners]
        assert [await planner.wait() for planner in planners] == [0, 0]
    assert all(shares), "both processes planned something, or nothing raced"
    said = Counter(execution_id for share in shares for execution_id in share)
    assert set(said.values()) == {1}
    for job in jobs:
        stored = await store.list_executions(workspace.id, job.id, limit=100)
        assert [e.scheduled_for for e in reversed(stored)] == [NOW + (n + 1) * MINUTE for n in range(INSTANTS)]
        assert {execution.id for execution in stored} <= set(said)


async def test_a_killed_process_leaves_a_sound_file_with_all_that_was_answered(
    path: Path, store: SqliteJobStore, workspace: Workspace
) -> None:
    created: list[str] = []
    finished: list[str] = []
    for kill in range(KILLS):
        async with program("work", str(path), workspace.id, str(kill)) as worker:
            start(worker)
            for _ in range(5 + kill):
                created.append(await next_line(worker))
                finished.append(await next_line(worker))
            worker.kill()
            rest = await all_lines(worker)
            created += rest[::2]
            finished += rest[1::2]
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stored = {job.id for job in await store.list_jobs(workspace.id, JobFilter(status=JobStatus.ACTIVE), limit=10_000)}
    assert set(created) <= stored
    for execution_id in finished:
        execution = await store.get_execution(workspace.id, execution_id)
        assert execution is not None
        assert execution.status is ExecutionStatus.SUCCEEDED


async def test_what_a_killed_process_held_is_taken_from_it(
    path: Path, store: SqliteJobStore, workspace: Workspace
) -> None:
    async with program("work", str(path), workspace.id, "0") as worker:
        start(worker)
        await next_line(worker)
        worker.kill()
    later = NOW + timedelta(hours=1)
    [beat] = await store.worker_beats()
    assert await store.bury_worker(beat.worker_id, beat.beat, later)
    verdicts = await store.lose_abandoned(later, 100)
    assert all(verdict.status is ExecutionStatus.QUEUED for verdict in verdicts)
    assert list(await store.running(beat.worker_id)) == []


async def test_a_file_is_read_while_another_process_has_it_open(
    path: Path, database: SqliteDatabase, store: SqliteJobStore, workspace: Workspace
) -> None:
    async with program("work", str(path), workspace.id, "0") as worker:
        start(worker)
        for _ in range(10):
            job_id, _ = await next_line(worker), await next_line(worker)
            assert await store.get_job(workspace.id, job_id) is not None
            await store.create_job(make_job(workspace.id), max_jobs=None, now=NOW)
