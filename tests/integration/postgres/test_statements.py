"""What the server is asked to do: how many statements, over which indexes, and how many rows they touch."""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from cronhook_core.backends.postgres.answered import ANSWERED
from cronhook_core.backends.postgres.claiming import CLAIM
from cronhook_core.backends.postgres.connecting import TRANSITIONS
from cronhook_core.backends.postgres.creating import CREATE
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.finishing import FAIL, LOCK_JOBS
from cronhook_core.backends.postgres.handing_back import LOSE, LOSE_ABANDONED, RELEASE
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.postgres.planning import DUE_JOBS, PLAN, PLAN_SKIPPING, PLAN_WAITING
from cronhook_core.backends.postgres.pruning import PRUNE
from cronhook_core.backends.postgres.queue import PostgresQueue
from cronhook_core.backends.postgres.ready import NEXT_DUE, READY
from cronhook_core.backends.postgres.rescheduling import RESCHEDULE
from cronhook_core.backends.postgres.showing import SHOW
from cronhook_core.backends.postgres.succeeding import SUCCEED
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.job_changes import paused
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.testing.builders import MINUTE, NOW, gone, make_plan, retry, succeeded
from cronhook_core.testing.job_store.racing import insist
from cronhook_core.testing.job_store.scene import LATER, PAUSING, Scene
from tests.integration.postgres.nodes import AT_ONCE, Open, message, observed
from tests.services import PostgresServer

BACKLOG = 20_000
FIRST_COLUMN = {
    "ix_executions_job_id_id": "job_id",
    "uq_executions_job_id_scheduled_for": "job_id",
    "pk_claims": "execution_id",
    "pk_idempotency_records": "key",
    "pk_job_logs": "execution_id",
    "pk_open_executions": "job_id",
    "pk_open_jobs": "workspace_id",
    "pk_timetable": "next_run",
}
"""Of indexes over several columns: Postgres 18 may use them without a condition on that one, and read much of them."""
STATEMENTS = {
    "answered": ANSWERED,
    "create": CREATE,
    "show": SHOW,
    "due_jobs": DUE_JOBS,
    "plan": PLAN,
    "plan_waiting": PLAN_WAITING,
    "plan_skipping": PLAN_SKIPPING,
    "reschedule": RESCHEDULE,
    "claim": CLAIM,
    "succeed": SUCCEED,
    "fail": FAIL,
    "lock_jobs": LOCK_JOBS,
    "release": RELEASE,
    "lose": LOSE,
    "lose_abandoned": LOSE_ABANDONED,
    "prune": PRUNE,
    "ready": READY,
    "next_due": NEXT_DUE,
}
OWN_INDEXES = {
    "ready": {"ix_open_executions_available_at"},
    "next_due": {"ix_open_executions_available_at", "pk_timetable"},
    "due_jobs": {"pk_timetable"},
    "answered": {"pk_idempotency_records"},
}
"""Of statements that do not name jobs or executions: most read in the order of an index."""
OF_JOBS = {"plan", "plan_waiting", "plan_skipping", "reschedule", "show", "create", "lock_jobs"}
OF_CLAIMS = {"succeed", "fail", "release", "lose"}
"""Statements that end claims, and find each by its key."""
READ_WHOLE = {"claim": {"workers"}, "lose_abandoned": {"workers", "claims"}}
"""Small tables: who is alive, and what runs."""
BY_NAME = {
    *("pk_workspaces", "pk_executions", "pk_job_logs", "pk_jobs"),
    *("pk_open_executions", "pk_open_jobs", "pk_timetable", "pk_claims", "pk_idempotency_records"),
    *("ix_executions_job_id_id", "uq_executions_job_id_scheduled_for"),
}
"""Indexes by which a few rows are found however many there are."""


async def fill(url: str) -> None:
    """Jobs that are due far ahead and executions that wait, run, ended long ago, or are due now, in great number.

    By their ids they are older than all others.
    """
    async with observed(url) as observer:
        await observer.execute(
            f"""
            WITH stored AS (INSERT INTO jobs SELECT (jsonb_populate_record(j, jsonb_build_object(
                'id', 'job_00' || n, 'next_run', $${(NOW + timedelta(days=30)).isoformat()}$$::timestamptz
            ))).* FROM jobs j, generate_series(1, {BACKLOG}) n WHERE j.id = (SELECT min(id) FROM jobs)
            RETURNING id, workspace_id, next_run), opened AS (
                INSERT INTO open_jobs (workspace_id, job_id) SELECT workspace_id, id FROM stored
            ) INSERT INTO timetable (next_run, job_id) SELECT next_run, id FROM stored
            """
        )
        for status, finished, worker in (
            ("queued", "NULL", "NULL"),
            ("succeeded", f"'{NOW.isoformat()}'", "NULL"),
            ("running", "NULL", "'wrk_busy'"),
        ):
            await observer.execute(
                f"""
                INSERT INTO executions (
                    id, job_id, workspace_id, host, trigger, scheduled_for, status, available_at, created_at,
                    attempt_no, retries_used, losses, releases, missed_count, finished_at, worker_id
                )
                SELECT 'exe_00{status}_' || n, 'job_00' || n, (SELECT min(workspace_id) FROM jobs), 'host', 'manual',
                    '{NOW.isoformat()}', '{status}', '{NOW.isoformat()}', '{NOW.isoformat()}',
                    1, 0, 0, 0, 0, {finished}, {worker}
                FROM generate_series(1, {BACKLOG}) n
                """
            )
        await observer.execute(
            """
            INSERT INTO open_executions (available_at, job_id, execution_id)
            SELECT available_at, job_id, id FROM executions
            WHERE status IN ('queued', 'running') AND NOT id IN (SELECT execution_id FROM open_executions)
            """
        )
        await observer.execute(
            """
            INSERT INTO claims (execution_id, attempt_no, job_id, worker_id, started_at)
            SELECT id, attempt_no, job_id, worker_id, available_at FROM executions WHERE worker_id = 'wrk_busy'
            """
        )
        await observer.execute(
            f"INSERT INTO workers (id, beat, registered_at, last_beat_at) VALUES ('wrk_busy', 0, '{NOW}', '{NOW}')"
        )


HELPERS_ARE_CHEAP = {
    "min_parallel_index_scan_size": "0",
    "min_parallel_table_scan_size": "0",
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
}


async def test_no_statement_no_lock_and_no_idle_transaction_lasts(url: str, open_database: Open) -> None:
    """Whatever the role's own settings are."""
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    query = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}"
    async with observed(url) as observer:
        for name in names:
            await observer.execute(f'ALTER DATABASE "{url.rpartition("/")[2]}" SET {name} = 0')
    database = await open_database()
    assert await database.execute(query) == [("5s", "2s", "5s")]
    assert await database.write(lambda connection: tuple(connection.exec_driver_sql(query).one())) == ("5s", "2s", "5s")


@pytest.mark.parametrize("state", ["empty", "full", "full and analysed", "full, with nothing open, and analysed"])
async def test_the_plans_are_those_of_a_full_database(state: str, scene: Scene, url: str) -> None:
    """Sessions keep a plan for life, so that it must not depend on how little there was when it was made."""
    await scene.job()
    if state.startswith("full"):
        await fill(url)
    async with observed(url) as observer:
        if "nothing open" in state:
            await observer.execute("DELETE FROM open_executions")
        if "analysed" in state:
            await observer.execute("VACUUM ANALYZE")
    for name, statement in STATEMENTS.items():
        indexes = set()
        for node in await planned(url, statement):
            assert node["Node Type"] != "Seq Scan" or node["Relation Name"] in READ_WHOLE.get(name, ()), name
            assert "Gather" not in node["Node Type"], f"{name} starts processes"
            assert node["Node Type"] != "Sort" or name != "ready", "a backlog would be read whole"
            if node.get("Index Name", "pk_workers") != "pk_workers":
                assert "Index Cond" in node or node["Index Name"] in OWN_INDEXES.get(name, ()), name
                begins_with = FIRST_COLUMN.get(node["Index Name"], "") if "Index Cond" in node else ""
                assert begins_with in node.get("Index Cond", ""), f"{name} skips through {node['Index Name']}"
                indexes.add(node["Index Name"])
        own = OWN_INDEXES.get(name, set())
        assert indexes <= BY_NAME | own, name
        assert (own or {"pk_jobs" if name in OF_JOBS else "pk_executions"}) <= indexes, name
        assert name not in OF_CLAIMS or "pk_claims" in indexes, name


async def planned(url: str, statement: str) -> list[dict[str, Any]]:
    """The nodes of the generic plan that a session for transitions makes, where no table is too small for helpers."""
    settings = {**HELPERS_ARE_CHEAP, **TRANSITIONS}
    options = " ".join(f"-c {key}={value.replace(' ', chr(92) + ' ')}" for key, value in settings.items())
    types = dict(re.findall(r"\$(\d+)::(\w+(?:\[\])?)", statement))
    arguments = ", ".join("NULL" for _ in types)
    declared = ", ".join(types[str(number + 1)] for number in range(len(types)))
    async with await psycopg.AsyncConnection.connect(url, options=options, autocommit=True) as connection:
        await connection.execute(f"PREPARE asked ({declared}) AS {statement}")
        [(plan,)] = await (await connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({arguments})")).fetchall()
    return list(nodes(plan[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_the_cost_follows_what_is_due(scene: Scene, url: str, open_database: Open) -> None:
    job, other = await scene.jobs(2)
    await fill(url)
    async with observed(url) as observer:
        later = f"SET available_at = '{NOW + timedelta(days=30)}'"
        await observer.execute(f"UPDATE executions {later} WHERE status = 'queued'")
        await observer.execute("DELETE FROM executions WHERE status = 'running'")
        await observer.execute(f"UPDATE open_executions {later} WHERE execution_id LIKE 'exe_00queued%'")
        await observer.execute("DELETE FROM open_executions WHERE execution_id LIKE 'exe_00running%'")
        await observer.execute("DELETE FROM claims")
        await observer.execute("ANALYZE")
    before = await touched(url)
    async with PostgresDatabase.open(url) as database:
        store = PostgresJobStore(database)
        worker_id = "wrk_mine"
        await store.register_worker(worker_id, NOW)
        for _ in range(8):  # often enough for the driver and the server to settle on one plan
            assert len(await store.due_jobs(LATER, 500)) == 2
            assert await store.next_due(LATER) == job.next_run
            assert list(await store.ready(LATER, 300)) == []
            assert list(await store.lose_abandoned(LATER, 100)) == []
            assert list(await store.running(worker_id)) == []
        [first, second] = await store.plan([make_plan(job), make_plan(other)], LATER)
        assert len(await store.ready(LATER, 300)) == 2
        claims = await store.claim([first, second], worker_id=worker_id, now=LATER)
        await store.release([claims[0].ref], LATER)
        await store.finish([succeeded(claims[1], LATER)], LATER)
        [again] = await store.claim([first], worker_id=worker_id, now=LATER)
        await store.lose([again.ref], LATER)
    after = await touched(url)
    assert after["scanned"] == before["scanned"]
    assert after["fetched"] - before["fetched"] < 300


async def touched(url: str) -> dict[str, int]:
    """Rows of the large tables: read in a row, and fetched by an index; exact once nobody is connected."""
    async with observed(url) as observer:
        cursor = await observer.execute(
            """
            SELECT sum(seq_tup_read)::int, sum(idx_tup_fetch)::int FROM pg_stat_user_tables
            WHERE relname IN ('timetable', 'jobs', 'open_jobs', 'executions', 'open_executions', 'claims', 'job_logs')
            """
        )
        [(scanned, fetched)] = await cursor.fetchall()
    return {"scanned": scanned, "fetched": fetched}


async def test_each_transition_is_one_statement(
    server: PostgresServer, store: PostgresJobStore, database: PostgresDatabase, scene: Scene, url: str
) -> None:
    job = await scene.job()
    plan = make_plan(job)
    worker_id = await scene.worker()
    claims = [await scene.running(job, worker_id=worker_id) for _ in range(5)]
    queued = await scene.queued(job)
    one_time, _ = await scene.due_once(LATER)
    queue = PostgresQueue(database)
    transitions: list[Callable[[], Awaitable[object]]] = [
        lambda: store.plan([plan], LATER),
        lambda: store.claim([queued.id], worker_id=worker_id, now=LATER),
        lambda: store.finish([succeeded(claims[0])], LATER),
        lambda: store.finish([retry(claims[1])], LATER),
        lambda: store.release([claims[2].ref], LATER),
        lambda: store.lose([claims[3].ref], LATER),
        lambda: store.interrupt([claims[4].ref], LATER),
        lambda: store.beat(worker_id, LATER),
        lambda: store.bury_worker(worker_id, 1, LATER),
        lambda: store.lose_abandoned(LATER, 10),
        lambda: queue.push([message(1), message(2)], LATER),
        lambda: queue.pop(10, AT_ONCE, LATER),
    ]
    await log_statements(url, database)
    for transition in transitions:
        written = len(server.log())
        await transition()
        assert len(statements(server.log()[written:], url)) == 1
    assert isinstance(one_time.definition.schedule, OneTimeSchedule)


async def test_only_a_receiver_that_wants_no_more_costs_a_second_statement(
    server: PostgresServer, store: PostgresJobStore, database: PostgresDatabase, scene: Scene, url: str
) -> None:
    claim = await scene.running(await scene.job())
    await log_statements(url, database)
    written = len(server.log())
    await store.finish([gone(claim)], LATER)
    first_words = [text.split()[0] for text in statements(server.log()[written:], url)]
    assert first_words == ["BEGIN", "SELECT", "WITH", "COMMIT"]


async def test_a_success_of_a_cron_job_neither_locks_nor_writes_the_job(scene: Scene, url: str) -> None:
    job = await scene.job()
    claim = await scene.running(job)
    async with observed(url) as observer:
        row = f"SELECT ctid, xmin, xmax FROM jobs WHERE id = '{job.id}'"
        before = await (await observer.execute(row)).fetchall()
        async with observer.transaction():
            await observer.execute(f"SELECT FROM jobs WHERE id = '{job.id}' FOR UPDATE")
            [verdict] = await scene.store.finish([succeeded(claim)], LATER)
            assert verdict.accepted
        [(ctid, xmin, _)] = await (await observer.execute(row)).fetchall()
    assert (ctid, xmin) == before[0][:2]


async def test_claims_and_results_write_executions_without_new_entries_in_their_indexes(
    scene: Scene, url: str, database: PostgresDatabase
) -> None:
    job = await scene.job()
    for _ in range(20):
        await scene.store.finish([succeeded(await scene.running(job), LATER)], LATER)
    assert await written(url, database, "executions") == {"updates": 40, "heap_only": 40}


async def test_a_plan_and_an_end_write_jobs_without_new_entries_in_their_indexes(
    scene: Scene, url: str, database: PostgresDatabase
) -> None:
    for _ in range(20):
        _, execution = await scene.due_once()
        claim = await scene.claim(execution)
        await scene.store.finish([succeeded(claim, LATER)], LATER)
    assert await written(url, database, "jobs") == {"updates": 40, "heap_only": 40}


async def written(url: str, database: PostgresDatabase, table: str) -> dict[str, int]:
    await database.execute("SELECT pg_stat_force_next_flush()")
    async with observed(url) as observer:
        counts = "SELECT n_tup_upd::int, n_tup_hot_upd::int FROM pg_stat_user_tables WHERE relname = %s"
        [(updates, heap_only)] = await (await observer.execute(counts, [table])).fetchall()
    return {"updates": updates, "heap_only": heap_only}


async def log_statements(url: str, database: PostgresDatabase) -> None:
    """From now on, for every session that the code under test has."""
    async with observed(url) as observer:
        await observer.execute(f"ALTER DATABASE \"{url.rpartition('/')[2]}\" SET log_statement = 'all'")
    await database.execute("SET log_statement = 'all'")


def statements(log: str, url: str) -> list[str]:
    name = re.escape(url.rpartition("/")[2])
    return re.findall(rf"^{name}\|LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)", log, re.MULTILINE)


async def test_pruning_goes_on_behind_what_can_never_go(scene: Scene, url: str, store: PostgresJobStore) -> None:
    """Active jobs keep their newest execution; twenty thousand are walked over, a bounded part at a time."""
    job = await scene.job()
    await fill(url)
    for n in range(3):
        await scene.store.finish([succeeded(await scene.running(job), LATER + n * MINUTE)], LATER)
    pruned = [await store.prune(LATER + timedelta(days=400), 100, now=LATER) for _ in range(4)]
    assert sorted(pruned) == [0, 0, 0, 2]


async def test_pruning_jobs_goes_on_behind_those_that_are_not_over(
    scene: Scene, url: str, store: PostgresJobStore
) -> None:
    """Twenty thousand are walked over, a bounded part at a time, and no table is read whole."""
    await scene.job()
    await fill(url)
    async with observed(url) as observer:
        await observer.execute("VACUUM ANALYZE")
    ended = await scene.jobs(3, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=None)
    run_by_hand = await scene.running(ended[0])
    before = await touched(url)
    pruned = [await store.prune_jobs(LATER, 1000) for _ in range(3)]
    after = await touched(url)
    assert sorted(pruned) == [0, 0, 2]
    assert (await scene.job_now(run_by_hand)).id == ended[0].id
    assert after["scanned"] == before["scanned"]


async def test_a_pause_ends_a_backlog_of_any_length(scene: Scene, url: str) -> None:
    """More rows than a statement may have parameters."""
    job, backlog = await scene.job(), 70_000
    async with observed(url) as observer:
        await observer.execute(
            f"""
            WITH queued AS (
                INSERT INTO executions (
                    id, job_id, workspace_id, host, trigger, scheduled_for, status, available_at, created_at,
                    attempt_no, retries_used, losses, releases, missed_count
                )
                SELECT 'exe_' || n, '{job.id}', '{job.workspace_id}', 'host', 'schedule',
                    '{NOW}'::timestamptz + n * interval '1 second', 'queued', '{NOW}', '{NOW}', 0, 0, 0, 0, 0
                FROM generate_series(1, {backlog}) n
                RETURNING id, job_id, available_at
            )
            INSERT INTO open_executions (execution_id, job_id, available_at) SELECT * FROM queued
            """
        )
        await insist(scene.store, job, paused, PAUSING)
        cancelled = await observer.execute("SELECT count(*) FROM executions WHERE status = 'cancelled'")
        assert await cancelled.fetchall() == [(backlog,)]
        left = await observer.execute("SELECT count(*) FROM open_executions")
        assert await left.fetchall() == [(0,)]
