"""Connections that are cut, killed or refused while they are used: what can be repeated is, and nothing is doubled."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence

import pytest
from attrs import evolve
from sqlalchemy import Connection, text

from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.postgres.queue import PostgresQueue
from cronhook_core.domain.claim import Claim, Verdict
from cronhook_core.domain.execution import Execution, ExecutionStatus
from cronhook_core.errors import CronhookError, QueueUnavailable, StoreBusy, StoreUnavailable
from cronhook_core.testing.builders import NOW, make_job, make_plan, retry, succeeded
from cronhook_core.testing.job_store.scene import LATER, Scene
from tests.integration.postgres.nodes import (
    AT_ONCE,
    LONG,
    Open,
    busy,
    locked,
    message,
    observed,
    sessions,
    sleeping,
    takes_less_than,
    terminate,
    waiting,
    works_again,
)
from tests.integration.redis.proxy import Proxy
from tests.services import PostgresServer

pytestmark = pytest.mark.suite("integration")


def through(proxy: Proxy, url: str) -> str:
    return url.replace(url.rpartition(":")[2].partition("/")[0], str(proxy.port))


async def test_idle_connections_that_were_killed_are_not_noticed(scene: Scene, url: str) -> None:
    job = await scene.job()
    claims = [await scene.running(job) for _ in range(3)]
    async with observed(url) as observer:
        await terminate(observer, await sessions(observer))
        assert await scene.store.finish([succeeded(claims[0])], LATER)
        await terminate(observer, await sessions(observer))
        assert await scene.job_now(job)
        await terminate(observer, await sessions(observer))
        await scene.job()


async def test_a_transition_killed_while_it_waits_is_repeated(scene: Scene, url: str) -> None:
    claim = await scene.running(await scene.job())
    async with observed(url) as observer:
        async with locked(url, f"SELECT FROM executions WHERE id = '{claim.execution_id}' FOR UPDATE"):
            finishing = asyncio.create_task(scene.store.finish([retry(claim)], LATER))
            await terminate(observer, await waiting(observer, 1))
            await waiting(observer, 1)
        [verdict] = await finishing
    assert (verdict.accepted, verdict.status) == (True, ExecutionStatus.QUEUED)
    assert (await scene.now_of(claim)).retries_used == 1


async def test_a_write_killed_before_its_commit_is_repeated(scene: Scene, url: str) -> None:
    workspace = await scene.workspace()
    job = make_job(workspace.id)
    async with observed(url) as observer:
        async with locked(url, f"SELECT FROM workspaces WHERE id = '{workspace.id}' FOR UPDATE"):
            creating = asyncio.create_task(scene.store.create_job(job, max_jobs=None, now=NOW))
            await terminate(observer, await waiting(observer, 1))
            await waiting(observer, 1)
        await creating
    assert (await scene.job_now(job)).id == job.id


async def test_a_write_whose_commit_is_in_doubt_is_not_repeated(database: PostgresDatabase, url: str) -> None:
    """The deferred trigger makes the commit itself last."""
    times = []

    def work(connection: Connection) -> None:
        times.append(1)
        connection.execute(text("INSERT INTO meta VALUES ('a', 'b')"))

    async with observed(url) as observer:
        await observer.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'"
        )
        await observer.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON meta DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        writing = asyncio.create_task(database.write(work))
        await terminate(observer, await sleeping(observer, 1))
        with pytest.raises(StoreUnavailable):
            await writing
    assert times == [1]


@pytest.mark.parametrize("transition", ["plan", "claim", "finish", "release", "interrupt", "lose"])
async def test_a_transition_whose_answer_is_lost_takes_place_once(
    scene: Scene, url: str, open_database: Open, server: PostgresServer, transition: str
) -> None:
    job = await scene.job()
    claim, worker_id = await scene.running(job), await scene.worker()
    queued = await scene.queued(job)
    async with Proxy(server.port) as proxy:
        cut_off = PostgresJobStore(await open_database(through(proxy, url), answer_within=0.5))
        act: Callable[[Execution, Claim], Awaitable[Sequence[object]]] = {
            "plan": lambda execution, _: cut_off.plan([make_plan(job, job_id=execution.job_id)], LATER),
            "claim": lambda execution, _: cut_off.claim([execution.id], worker_id=worker_id, now=LATER),
            "finish": lambda _, claim: cut_off.finish([retry(claim)], LATER),
            "release": lambda _, claim: cut_off.release([claim.ref], LATER),
            "interrupt": lambda _, claim: cut_off.interrupt([claim.ref], LATER),
            "lose": lambda _, claim: cut_off.lose([claim.ref], LATER),
        }[transition]
        await act(evolve(queued, id="exe_unknown", job_id="job_unknown"), evolve(claim, execution_id="exe_unknown"))
        proxy.swallows_answers = True
        with takes_less_than(1.5), pytest.raises(StoreUnavailable):
            await act(queued, claim)
        proxy.swallows_answers = False
        again = await act(queued, claim)
    executions = await scene.store.list_executions(job.workspace_id, job.id, limit=10)
    assert len(executions) == 2 + (transition == "plan")
    stored = await scene.now_of(claim)
    assert stored.retries_used + stored.releases + stored.losses == (transition in ("finish", "release", "lose"))
    assert len(await scene.store.running(worker_id)) == (transition == "claim")
    assert not [answer for answer in again if not isinstance(answer, Verdict) or answer.accepted]


async def test_a_cancelled_call_leaves_nothing_open(database: PostgresDatabase, url: str) -> None:
    def sleep(connection: Connection) -> None:
        connection.execute(text("SELECT pg_sleep(60)"))

    async with observed(url) as observer:
        for call in (
            lambda: database.execute("SELECT pg_sleep(60)"),
            lambda: database.read(sleep),
            lambda: database.write(sleep),
        ):
            task: asyncio.Task[object] = asyncio.create_task(call())
            await sleeping(observer, 1)
            task.cancel()
            with takes_less_than(2.0):
                await asyncio.wait([task])
            assert task.cancelled()
            await busy(observer, 0)
        assert await database.execute("SELECT 1") == [(1,)]


async def test_a_call_cancelled_at_any_moment_gives_its_connection_back(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also before its statement is sent, where the driver lets others run if it has been busy for long."""
    monkeypatch.setattr("psycopg.waiting.MAX_BUSY_TIME", 0.0)

    def select(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))

    for call in (lambda: database.read(select), lambda: database.write(select)):
        await call()
        moments, ended = 0, False
        while not ended:
            moments += 1
            task: asyncio.Task[None] = asyncio.create_task(call())
            for _ in range(moments):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            ended = not task.cancelled()
        assert moments > 3
    gc.collect()
    assert [record.message for record in caplog.records if record.name.startswith("sqlalchemy")] == []


async def test_statements_sent_together_and_cancelled_spoil_no_session(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is left within a pipeline would take the next statement for sent, and answer nothing."""
    monkeypatch.setattr("psycopg.waiting.MAX_BUSY_TIME", 0.0)
    statements: list[tuple[str, Sequence[object]]] = [
        ("SELECT 1", ()),
        ("SELECT pg_sleep(0.001)", ()),
        ("SELECT 2", ()),
    ]
    moments, ended = 0, False
    while not ended:
        moments += 1
        task = asyncio.create_task(database.execute_all(statements))
        for _ in range(moments):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        ended = not task.cancelled()
        assert await asyncio.gather(*[database.execute("SELECT 7") for _ in range(10)]) == [[(7,)]] * 10, moments
    assert moments > 3


async def test_a_deadlock_is_resolved_by_trying_again(database: PostgresDatabase, open_database: Open) -> None:
    holders: set[str] = set()

    def swap(connection: Connection, first: str, second: str) -> None:
        append = text("UPDATE meta SET value = value || :mine WHERE key = :key")
        connection.execute(append, {"mine": first, "key": first})
        holders.add(first)
        while len(holders) < 2:
            connection.execute(text("SELECT pg_sleep(0.01)"))
        connection.execute(append, {"mine": first, "key": second})

    await database.execute("INSERT INTO meta VALUES ('a', ''), ('b', '')")
    other = await open_database()
    await asyncio.gather(database.write(swap, "a", "b"), other.write(swap, "b", "a"))
    rows = await database.execute("SELECT key, value FROM meta ORDER BY key")
    assert [(key, "".join(sorted(value))) for key, value in rows] == [("a", "ab"), ("b", "ab")]


async def test_a_mistake_of_ours_is_no_outage_and_no_error_of_the_driver(database: PostgresDatabase) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("SELECT nonsense"))

    for call in (
        lambda: database.execute("SELECT nonsense"),
        lambda: database.read(work),
        lambda: database.write(work),
    ):
        with pytest.raises(CronhookError, match="refused a statement") as raised:
            await call()
        assert not isinstance(raised.value, StoreUnavailable)
    assert await database.execute("SELECT 1") == [(1,)]


async def test_a_row_that_somebody_holds_for_long_is_not_waited_for(scene: Scene, url: str) -> None:
    claim: Claim = await scene.running(await scene.job())
    async with locked(url, f"SELECT FROM executions WHERE id = '{claim.execution_id}' FOR UPDATE"):
        with takes_less_than(3.0), pytest.raises(StoreBusy, match="lock timeout"):
            await scene.store.finish([succeeded(claim)], LATER)
    [verdict] = await scene.store.finish([succeeded(claim)], LATER)
    assert verdict.accepted


async def test_a_database_without_a_free_connection_is_away(url: str, open_database: Open) -> None:
    async with observed(url) as observer:
        name = url.rpartition("/")[2]
        await observer.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        await observer.execute("CREATE ROLE plain LOGIN")
        await observer.execute("GRANT ALL ON SCHEMA public TO plain")
        try:
            refused = await open_database(url.replace("postgres@", "plain@"))
            with takes_less_than(4.0), pytest.raises(StoreUnavailable):
                await refused.execute("SELECT 1")
            await observer.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
            assert await refused.execute("SELECT 1") == [(1,)]
        finally:
            await observer.execute("REVOKE ALL ON SCHEMA public FROM plain")
            await observer.execute("DROP ROLE plain")


async def test_a_server_that_only_reads_is_away(scene: Scene, url: str) -> None:
    job = await scene.job()
    name = url.rpartition("/")[2]
    async with observed(url) as observer:
        await observer.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await terminate(observer, await sessions(observer))
        with pytest.raises(StoreUnavailable):
            await scene.store.plan([make_plan(job)], LATER)
        with pytest.raises(StoreUnavailable):
            await scene.job()
        with takes_less_than(4.0), pytest.raises(StoreUnavailable):
            await scene.store.ping()
        assert await scene.job_now(job)
        await observer.execute("SET default_transaction_read_only = off")
        await observer.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await works_again(scene.store.ping, within=3.0)
        await works_again(lambda: scene.store.plan([make_plan(job)], LATER), within=3.0)
        await works_again(scene.job, within=3.0)


async def test_notifications_are_heard_again_after_their_connection_was_killed(
    database: PostgresDatabase, open_database: Open, url: str
) -> None:
    queue, other = PostgresQueue(database), PostgresQueue(await open_database())
    await database.notifications.listening(QueueUnavailable)
    popping = asyncio.create_task(queue.pop(1, LONG, NOW))
    planning = asyncio.create_task(queue.wait(LONG))
    async with observed(url) as observer:
        async with asyncio.timeout(5.0):
            listening = await sessions(observer, "query LIKE 'LISTEN%'")
            assert len(listening) == 1
            await terminate(observer, listening)
            while await sessions(observer, "query LIKE 'LISTEN%'") in ([], listening):
                await asyncio.sleep(0.005)
    await works_again(lambda: database.notifications.listening(QueueUnavailable), within=5.0)
    await other.push([message()], NOW)
    await other.announce(LATER)
    with takes_less_than(1.0):
        assert list(await popping) == [message()]
        assert await planning == LATER
    assert list(await queue.pop(1, AT_ONCE, NOW)) == []


async def test_what_somebody_else_notifies_ends_no_listening(database: PostgresDatabase, url: str) -> None:
    queue = PostgresQueue(database)
    await database.notifications.listening(QueueUnavailable)
    planning = asyncio.create_task(queue.wait(LONG))
    await asyncio.sleep(0)
    async with observed(url) as observer:
        for payload in ("2026-01-01T00:00:00", "soon", "2026-01-01"):
            await observer.execute("SELECT pg_notify('cronhook_due', %s)", [payload])
    await queue.announce(NOW)
    assert await planning == NOW
    assert database.notifications.heard
