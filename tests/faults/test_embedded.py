"""One process on a SQLite file: killed over and over, on a full disk, beside others, and restored from a backup."""

from __future__ import annotations

import random
import resource
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.faults.embedded import Embedded
from tests.faults.installation import ahead
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import allowed
from tests.services import wait_until


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    running = Embedded(tmp_path)
    running.start()
    yield running
    running.close()


def test_a_process_killed_in_the_middle_of_its_work_keeps_its_promises(
    embedded: Embedded, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    acts, chance, began = [], random.Random(7), ahead()
    for _ in range(100 if full else 5):
        for _ in range(chance.randint(1, 8)):
            act = embedded.create(scripted_receiver.url("/between/0.05/0.5/ok"), ahead(seconds=0.2))
            acts.append(act)  # one by one: some of them are due when the next one is stored
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + chance.randint(0, 3))
        embedded.processes[0].kill()
        assert embedded.rows("PRAGMA integrity_check") == [("ok",)]
        embedded.start()
    ids = {act.job_id for act in acts}
    assert ids <= {job for (job,) in embedded.rows("SELECT id FROM jobs")}
    # Hundreds were lost twice, for each life takes over what the ones before it left: these are sent one by one.
    assert embedded.verdict(scripted_receiver, acts, killed_since=began, within=600) == []


def test_a_full_disk_is_told_of_and_outlived(embedded: Embedded, scripted_receiver: ScriptedReceiver) -> None:
    process = psutil.Process(embedded.processes[0].pid)
    acts = [embedded.create(scripted_receiver.url("/ok"), ahead(seconds=1))]
    scripted_receiver.wait_for(1)
    unlimited = process.rlimit(resource.RLIMIT_FSIZE)
    size = embedded.file.with_name("cronhook.db-wal").stat().st_size
    process.rlimit(resource.RLIMIT_FSIZE, (size, unlimited[1]))  # as if the disk held no more than this
    answers = [refusal(embedded, scripted_receiver.url("/ok")) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {503}
    assert all("retry-after" in answer.headers for answer in answers)
    process.rlimit(resource.RLIMIT_FSIZE, unlimited)
    wait_until(lambda: embedded.request("GET", "/health").status_code == 200, 30, "it is well again")
    acts += [embedded.create(scripted_receiver.url("/ok"), ahead(seconds=1)) for _ in range(3)]
    scripted_receiver.wait_for(4)
    assert embedded.processes[0].running
    assert embedded.verdict(scripted_receiver, acts) == []


def refusal(embedded: Embedded, url: str) -> httpx.Response:
    body = {"name": "a job", "callback_url": url, "cron": "0 0 1 1 *", "payload": "x" * 100_000}
    return embedded.request("POST", "/v1/jobs", body)


@pytest.mark.suite("faults")
def test_four_processes_share_one_file(tmp_path: Path, scripted_receiver: ScriptedReceiver, full: bool) -> None:
    together, began = Embedded(tmp_path, processes=4), ahead()
    try:
        together.start()
        acts = []
        for number in range(200 if full else 40):
            port = together.ports[number % 4]
            acts.append(together.create(scripted_receiver.url("/between/0.05/0.5/ok"), ahead(seconds=1), port))
        together.processes[0].kill()
        assert together.verdict(scripted_receiver, acts, killed_since=began, lateness=allowed(full, 5)) == []
        assert Counter(act.job_id for act in acts) == Counter(
            job for (job,) in together.rows("SELECT job_id FROM executions")
        )
    finally:
        together.close()


@pytest.mark.full
def test_after_a_restore_the_same_instants_have_the_same_ids(
    embedded: Embedded, scripted_receiver: ScriptedReceiver, tmp_path: Path
) -> None:
    """So a receiver can tell that it has seen them, be they of one instant or of a cron line."""
    (process,) = embedded.processes
    every_minute = embedded.create(scripted_receiver.url("/ok"), cron="* * * * *").job_id
    scripted_receiver.wait_for(1, 90)  # a whole minute is left from now on
    jobs = [embedded.create(scripted_receiver.url("/ok"), ahead(seconds=15)).job_id for _ in range(5)]
    backup = CronhookProcess("backup", str(tmp_path / "copy.db"), settings=embedded.settings(0))
    assert backup.start().wait(60) == 0
    before = scripted_receiver.wait_for(7, 90)[1:]
    process.terminate()
    assert process.wait() == 0
    for name in ("cronhook.db-wal", "cronhook.db-shm"):
        embedded.file.with_name(name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "copy.db", embedded.file)
    embedded.start()
    after = scripted_receiver.wait_for(13)[7:]
    assert {a.execution_id for a in after} == {a.execution_id for a in before}
    assert sorted(a.job_id for a in after) == sorted([*jobs, every_minute])
