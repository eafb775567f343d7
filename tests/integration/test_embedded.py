"""The core in a program of one's own, on a SQLite file and over real HTTP."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cronhook_core import ExecutionStatus, JobDefinition, JobStatus, OneTimeSchedule
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.embedded import embedded
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
