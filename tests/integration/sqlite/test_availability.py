"""What a caller sees when the file or its disk does not do what it should, and that nothing stays broken."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from cronhook_core.backends.sql import engines
from cronhook_core.backends.sql.tables import PROBE, idempotency_records, meta
from cronhook_core.backends.sqlite import SqliteDatabase, SqliteJobStore, SqliteLock
from cronhook_core.backends.sqlite.database import ENGINE_READERS, READERS
from cronhook_core.backends.sqlite.job_store import PING_SECONDS
from cronhook_core.domain.idempotency import KEPT_FOR
from cronhook_core.domain.workspace import Workspace
from cronhook_core.errors import ConfigurationError, LockUnavailable, SchemaMismatch, StoreBusy, StoreUnavailable
from cronhook_core.testing.builders import MINUTE, NOW, make_idempotent_request, make_job, make_plan

UNLIMITED = 1_073_741_823


def allow_pages(connection: Connection, number: int) -> None:
    """The disk is full when the file has that many pages."""
    connection.exec_driver_sql(f"PRAGMA max_page_count = {number}").close()


def pages(connection: Connection) -> int:
    return connection.exec_driver_sql("PRAGMA page_count").scalar_one()


async def fill_disk(database: SqliteDatabase) -> None:
    await database.write(allow_pages, await database.read(pages))


@contextmanager
def held_by_another_writer(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def test_files_that_are_opened_at_once_each_get_their_whole_schema(tmp_path: Path) -> None:
    """What migrations use belongs to the process, and each file is migrated in a thread of its own."""
    paths = [tmp_path / f"{n}.db" for n in range(6)]

    async def opened(path: Path) -> int:
        async with SqliteDatabase.open(path) as database:
            return await database.read(
                lambda connection: connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
            )

    alone = await opened(tmp_path / "alone.db")
    assert await asyncio.gather(*map(opened, paths)) == [alone] * len(paths)


class TestDiskFull:
    async def test_a_write_says_so_and_works_again_when_there_is_room(
        self, database: SqliteDatabase, store: SqliteJobStore, workspace: Workspace
    ) -> None:
        job = make_job(workspace.id, payload=b'"' + b"x" * 100_000 + b'"')
        await fill_disk(database)
        with pytest.raises(StoreUnavailable, match="full"):
            await store.create_job(job, max_jobs=None, now=NOW)
        await store.ping()
        assert await store.get_job(workspace.id, job.id) is None
        await database.write(allow_pages, UNLIMITED)
        await store.create_job(job, max_jobs=None, now=NOW)
        assert await store.get_job(workspace.id, job.id) == job

    async def test_nothing_of_a_batch_that_did_not_fit_remains(
        self, database: SqliteDatabase, store: SqliteJobStore, workspace: Workspace
    ) -> None:
        jobs = [make_job(workspace.id) for _ in range(300)]
        for job in jobs:
            await store.create_job(job, max_jobs=None, now=NOW)
        plans = [make_plan(job) for job in jobs]
        await fill_disk(database)
        with pytest.raises(StoreUnavailable, match="full"):
            await store.plan(plans, NOW + MINUTE)
        assert len(await store.due_jobs(NOW + MINUTE, 1000)) == len(jobs)
        assert list(await store.ready(NOW + MINUTE, 1000)) == []
        await database.write(allow_pages, UNLIMITED)
        assert len(await store.plan(plans, NOW + MINUTE)) == len(jobs)


class TestBusy:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engines, "BUSY_TIMEOUT_SECONDS", 0.05)

    async def test_a_writer_that_waited_too_long_says_so_and_may_try_again(
        self, path: Path, store: SqliteJobStore, workspace: Workspace
    ) -> None:
        job = make_job(workspace.id)
        with held_by_another_writer(path):
            with pytest.raises(StoreBusy, match="locked"):
                await store.create_job(job, max_jobs=None, now=NOW)
            assert await store.get_job(workspace.id, job.id) is None
        await store.create_job(job, max_jobs=None, now=NOW)
        assert await store.get_job(workspace.id, job.id) == job

    async def test_a_crowd_does_not_wait_one_after_the_other(
        self, path: Path, store: SqliteJobStore, workspace: Workspace
    ) -> None:
        jobs = [make_job(workspace.id) for _ in range(400)]
        writes = [store.create_job(job, max_jobs=None, now=NOW) for job in jobs]
        with held_by_another_writer(path):
            began = time.monotonic()
            failures = await asyncio.gather(*writes, return_exceptions=True)
            waited = time.monotonic() - began
        assert {type(failure) for failure in failures} == {StoreBusy}
        assert waited < len(jobs) * engines.BUSY_TIMEOUT_SECONDS / 2
        await store.create_job(jobs[0], max_jobs=None, now=NOW)

    async def test_no_silence_of_workers_is_seen_while_no_beat_can_be_written(
        self, path: Path, database: SqliteDatabase, store: SqliteJobStore
    ) -> None:
        await store.register_worker("wrk_1", NOW)
        with held_by_another_writer(path), pytest.raises(StoreBusy):
            await store.worker_beats()
        assert await database.read(probes) == 0
        assert [beat.worker_id for beat in await store.worker_beats()] == ["wrk_1"]
        assert await database.read(probes) == 1, "a full disk would not be noticed"

    async def test_a_lock_speaks_of_itself(self, path: Path, database: SqliteDatabase) -> None:
        with held_by_another_writer(path), pytest.raises(LockUnavailable):
            await SqliteLock(database).acquire("leader", MINUTE, NOW)


@asynccontextmanager
async def hanging(read: Callable[..., Awaitable[None]], readers: int) -> AsyncIterator[None]:
    all_hang, release = threading.Barrier(readers + 1, timeout=10), threading.Event()

    def hang(_: Connection) -> None:
        all_hang.wait()
        release.wait()

    reads = [asyncio.ensure_future(read(hang)) for _ in range(readers)]
    await asyncio.to_thread(all_hang.wait)
    try:
        yield
    finally:
        release.set()
        await asyncio.gather(*reads)


async def test_what_users_read_holds_up_no_plan(database: SqliteDatabase, store: SqliteJobStore) -> None:
    async with hanging(database.read, READERS), asyncio.timeout(PING_SECONDS):
        assert await store.due_jobs(NOW, 1) == []
        assert await store.ready(NOW, 1) == []
        assert await store.next_due(NOW) is None
        assert await store.running("wrk_1") == []
        await store.ping()


async def test_a_file_that_is_gone_is_not_made_anew(path: Path, workspace: Workspace) -> None:
    """It would be empty, and what had been answered with a success would not be in it."""
    async with SqliteDatabase.open(path) as database:
        async with hanging(database.read, READERS - 1):  # the last one has no connection yet
            path.unlink()
            with pytest.raises(StoreUnavailable, match="unable to open"):
                await SqliteJobStore(database).get_job(workspace.id, "job_unknown")
        assert not path.exists()


async def test_nor_by_the_first_write(path: Path) -> None:
    async with SqliteDatabase.open(path):
        pass
    async with SqliteDatabase.open(path) as database:
        path.unlink()
        with pytest.raises(LockUnavailable, match="unable to open"):
            await SqliteLock(database).acquire("leader", MINUTE, NOW)
        assert not path.exists()


async def test_a_link_to_where_the_file_is_to_be(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    link, target = tmp_path / "jobs.db", tmp_path / "data" / "jobs.db"
    link.symlink_to(target)
    async with SqliteDatabase.open(link):
        assert target.stat().st_mode & 0o777 == 0o600


class TestPing:
    async def test_it_does_not_wait_for_readers_that_hang(
        self, database: SqliteDatabase, store: SqliteJobStore
    ) -> None:
        async with hanging(database.read_first, ENGINE_READERS), asyncio.timeout(PING_SECONDS + 1):
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await store.ping()
        await store.ping()

    async def test_a_file_that_can_only_be_read_is_away(self, path: Path, workspace: Workspace) -> None:
        async with SqliteDatabase.open(path) as database:
            await database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON").close())
            assert await SqliteJobStore(database).get_job(workspace.id, "job_unknown") is None
            with pytest.raises(StoreUnavailable):
                await SqliteJobStore(database).ping()


class TestTurns:
    async def test_the_engine_waits_for_one_user_at_most(self, database: SqliteDatabase) -> None:
        begun, release, order = threading.Event(), threading.Event(), list[str]()

        def hold(_: Connection) -> None:
            begun.set()
            release.wait()

        def write(connection: Connection, name: str) -> None:
            connection.execute(meta.insert().values(key=name, value=""))
            order.append(name)

        writes = [asyncio.create_task(database.write(hold))]
        await asyncio.to_thread(begun.wait)
        writes += [asyncio.create_task(database.write(write, f"user {number}")) for number in range(5)]
        await asyncio.sleep(0)
        writes.append(asyncio.create_task(database.write_first(write, "engine")))
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*writes)
        assert order == ["engine", *(f"user {number}" for number in range(5))]

    async def test_who_waits_for_a_turn_at_the_end_is_heard(self, path: Path) -> None:
        begun, release = threading.Event(), threading.Event()

        def hold(_: Connection) -> None:
            begun.set()
            release.wait()

        opening = SqliteDatabase.open(path)
        database = await opening.__aenter__()
        writes = [asyncio.create_task(database.write(hold))]
        await asyncio.to_thread(begun.wait)
        writes += [asyncio.create_task(database.write(lambda _: None)) for _ in range(3)]
        closing = asyncio.create_task(opening.__aexit__(None, None, None))
        await asyncio.wait([closing], timeout=0.2)
        release.set()
        await asyncio.gather(*writes, closing)


class TestPruning:
    async def test_expired_answers_go_a_bounded_number_at_a_time(
        self, database: SqliteDatabase, store: SqliteJobStore, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cronhook_core.backends.sqlite.upkeep.EXPIRED_AT_ONCE", 3)
        for _ in range(5):
            request = make_idempotent_request()
            await store.create_job(make_job(workspace.id), max_jobs=None, now=NOW, idempotency=request)
        left = []
        for _ in range(3):
            await store.prune(NOW, 10, now=NOW + KEPT_FOR + MINUTE)
            left.append(await database.read(count_answers))
        assert left == [2, 0, 0]


def probes(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(meta.c.key == PROBE)).scalar_one()


def count_answers(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(idempotency_records)).scalar_one()


class TestCancelledCallers:
    async def test_a_cancelled_write_is_whole_or_absent_and_blocks_nobody(self, database: SqliteDatabase) -> None:
        begun, release = threading.Event(), threading.Event()

        def slowly(connection: Connection) -> None:
            connection.execute(meta.insert().values(key="a", value="1"))
            begun.set()
            release.wait()
            connection.execute(meta.insert().values(key="b", value="2"))

        writing = asyncio.create_task(database.write(slowly))
        await asyncio.to_thread(begun.wait)
        writing.cancel()
        await asyncio.wait([writing])
        release.set()
        await database.write(lambda connection: connection.execute(meta.insert().values(key="c", value="3")))
        keys = await database.read(lambda connection: connection.execute(select(meta.c.key)).scalars().all())
        assert sorted(keys) == ["a", "b", "c"]


class TestErrors:
    async def test_a_failed_write_leaves_nothing(self, database: SqliteDatabase) -> None:
        def half(connection: Connection) -> None:
            connection.execute(meta.insert().values(key="half", value=""))
            raise LookupError("no more")

        with pytest.raises(LookupError):
            await database.write(half)
        assert await database.read(lambda connection: connection.execute(select(meta.c.key)).all()) == []

    async def test_a_reader_cannot_write(self, database: SqliteDatabase) -> None:
        with pytest.raises(StoreUnavailable, match="readonly"):
            await database.read(lambda connection: connection.execute(meta.insert().values(key="a", value="")))

    async def test_a_file_that_is_no_database(self, path: Path) -> None:
        path.write_bytes(b"this is text and not a database at all" * 100)
        with pytest.raises(StoreUnavailable, match="not a database"):
            async with SqliteDatabase.open(path):
                pass

    async def test_a_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match="unable to open"):
            async with SqliteDatabase.open(tmp_path / "absent" / "cronhook.db"):
                pass

    @pytest.mark.parametrize(
        "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "postgresql://host/x"]
    )
    async def test_an_unusable_url(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="CRONHOOK_DATABASE_URL"):
            async with SqliteDatabase.open(url):
                pass


class TestOpening:
    async def test_a_url_and_a_path_mean_the_same_file(self, path: Path) -> None:
        async with SqliteDatabase.open(f"sqlite:///{path}") as database:
            await database.write(lambda connection: connection.execute(meta.insert().values(key="a", value="1")))
        async with SqliteDatabase.open(path) as database:
            assert await database.read(lambda connection: connection.execute(select(meta.c.value)).scalar_one()) == "1"

    async def test_without_migrating_a_fresh_file_has_the_wrong_schema(self, path: Path) -> None:
        with pytest.raises(SchemaMismatch, match="cronhook migrate"):
            async with SqliteDatabase.open(path, migrate=False):
                pass

    async def test_a_newer_schema_is_opened_and_told(self, path: Path) -> None:
        async with SqliteDatabase.open(path) as database:
            assert database.newer_schema is None
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE cronhook_schema_version SET version_num = '9999'")
        async with SqliteDatabase.open(path) as database:
            assert database.newer_schema == "9999"

    async def test_the_last_to_close_leaves_one_file(self, path: Path) -> None:
        async with SqliteDatabase.open(path), SqliteDatabase.open(path):
            pass
        assert [file.name for file in path.parent.iterdir()] == [path.name]

    @pytest.mark.parametrize("module", ["sqlalchemy", "alembic"])
    def test_a_missing_driver_names_the_extra(self, module: str) -> None:
        program = f"import sys; sys.modules[{module!r}] = None; import cronhook_core.backends.sqlite"
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert ended.stderr.splitlines()[-1].endswith(f"{module} is not installed: pip install 'cronhook[sqlite]'")


class TestDurability:
    async def test_every_connection_waits_for_the_disk(self, database: SqliteDatabase) -> None:
        def settings(connection: Connection) -> list[object]:
            pragmas = ("journal_mode", "synchronous", "foreign_keys")
            return [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for pragma in pragmas]

        full = 2
        assert await database.write(settings) == ["wal", full, 1]
        assert await database.read(settings) == ["wal", full, 1]
