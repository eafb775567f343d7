"""The core in a program of one's own, on a SQLite file and over real HTTP."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cronhook_core import ExecutionStatus, JobDefinition, JobStatus, OneTimeSchedule
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.embedded import embedded
from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.recording_hooks import RecordingHooks
from tests.receiver import Receiver

HERE = TargetPolicy(allowed=AllowedTargets.parse("127.0.0.1/32"))

PROCESS = """
import asyncio, sys
from pathlib import Path
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.embedded import embedded

async def main() -> None:
    targets = TargetPolicy(allowed=AllowedTargets.parse("127.0.0.1/32"))
    async with embedded(database=Path(sys.argv[1]), targets=targets):
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


def soon(receiver: Receiver, path: str) -> JobDefinition:
    run_at = OneTimeSchedule(datetime.now(UTC) + timedelta(seconds=1))
    return JobDefinition(name="soon", schedule=run_at, callback_url=receiver.url(path), payload=b'{"n": 1}')


async def test_a_job_on_a_file_is_sent_signed_and_kept(tmp_path: Path, receiver: Receiver) -> None:
    database = tmp_path / "jobs.db"
    async with embedded(database=database, targets=HERE, signing_secrets=[b"s" * 32]) as engine:
        job = await engine.jobs.create(engine.workspace_id, soon(receiver, "/status/200"))
        (arrival,) = await receiver.arrived(1, 10)
    assert arrival.body == b'{"n": 1}'
    assert set(arrival.headers) >= {"webhook-id", "webhook-signature", "cronhook-job-id"}
    async with embedded(database=database, targets=HERE) as engine:
        kept = await engine.jobs.get(engine.workspace_id, job.id)
    assert (kept.status, kept.last_run_status) == (JobStatus.INACTIVE, ExecutionStatus.SUCCEEDED)


async def test_two_processes_on_one_file_call_once(tmp_path: Path, receiver: Receiver) -> None:
    database = tmp_path / "jobs.db"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, database, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert await other.stdout.readline() == b"ready\n"
    async with embedded(database=database, targets=HERE) as engine:
        jobs = [await engine.jobs.create(engine.workspace_id, soon(receiver, f"/status/200?{n}")) for n in range(20)]
        arrivals = await receiver.arrived(20, 15)
        counts = [len(await engine.jobs.executions(engine.workspace_id, job.id, limit=10)) for job in jobs]
    other.stdin.close()
    assert await other.wait() == 0
    assert counts == [1] * 20
    assert len(receiver.arrivals) == len(arrivals) == 20


def engine_tasks() -> list[str]:
    return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("cronhook-"))


async def test_a_cancellation_while_it_ends_leaves_nothing_running(tmp_path: Path) -> None:
    """As Ctrl-C does that is pressed while sends end: these are cut off, and the store knows it."""
    hooks, sending, database = RecordingHooks(), asyncio.Event(), tmp_path / "jobs.db"

    async def slow(request: WebhookRequest) -> WebhookResult:
        sending.set()
        await asyncio.sleep(10)
        return WebhookResult(outcome=Outcome.SUCCEEDED)

    async def use() -> None:
        async with embedded(slow, database=database, hooks=hooks) as engine:
            job = JobDefinition(name="x", schedule=OneTimeSchedule(datetime.now(UTC)), callback_url="http://x.test/")
            await engine.jobs.create(engine.workspace_id, job)
            await sending.wait()

    using = asyncio.create_task(use())
    await sending.wait()
    await asyncio.sleep(0.5)
    assert not using.done(), "it waits for the send under way"
    using.cancel()
    await asyncio.wait([using], timeout=10)
    assert using.cancelled()
    assert engine_tasks() == []
    assert hooks.named("pass_failed") == []
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT status, losses FROM executions").fetchall() == [("queued", 0)]
        assert connection.execute("SELECT outcome FROM job_logs").fetchall() == [("interrupted",)]
        assert connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)


@pytest.mark.suite("integration")
async def test_a_cancellation_while_a_pass_waits_for_the_file_leaves_nothing_running(tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"

    async def unused(request: WebhookRequest) -> WebhookResult:
        return WebhookResult(outcome=Outcome.SUCCEEDED)

    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        try:
            async with asyncio.timeout(2), embedded(unused, database=database) as engine:
                run_at = OneTimeSchedule(datetime.now(UTC) + timedelta(seconds=0.5))
                job = JobDefinition(name="x", schedule=run_at, callback_url="http://x.test/")
                await engine.jobs.create(engine.workspace_id, job)
                other.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(1)
        except TimeoutError:
            pass
        other.execute("ROLLBACK")
        assert engine_tasks() == []


async def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    async with embedded(database=tmp_path / "jobs.db", targets=HERE) as engine:
        pass
    with pytest.raises(StoreUnavailable, match="was closed"):
        await engine.jobs.get(engine.workspace_id, "job_1")


async def test_a_file_of_a_later_version_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = tmp_path / "what?.db"
    async with embedded(database=database, targets=HERE):
        pass
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE cronhook_schema_version SET version_num = '9999'")
        connection.commit()
    async with embedded(database=database, targets=HERE):
        assert "was made by a later version of cronhook (schema 9999)" in caplog.text


async def test_secrets_that_are_no_bytes_are_refused() -> None:
    with pytest.raises(TypeError, match="signing_secrets is a sequence of bytes"):
        async with embedded(signing_secrets=["whsec_c2VjcmV0"], targets=HERE):  # type: ignore[list-item]
            pass
