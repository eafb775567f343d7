"""Commands as a shell runs them: in a terminal, in a pipe, and interrupted."""

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from cronhook_client import Cronhook
from tests.integration.client.running_server import RunningServer

COMMAND = str(Path(sys.executable).with_name("cronhook"))
PATIENCE = 60.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def environment(server: RunningServer, key: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "CRONHOOK_BASE_URL": server.url, "CRONHOOK_API_KEY": key}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Start:
    def begin(*arguments: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *arguments], env=environment, cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE, text=True
        )

    return begin


@pytest.fixture
def job_id(server: RunningServer, key: str) -> str:
    """A job with a long name that waits an hour before it is tried again."""
    with Cronhook(key, base_url=server.url) as client:
        return client.jobs.create(
            name="a name that is longer than a narrow terminal has room for",
            callback_url="http://127.0.0.1:9/a/rather/long/path/that/goes/on",
            cron="15,45 3-5 1-7 * MON",
            timezone="America/Argentina/Buenos_Aires",
            retry_delays_seconds=[3600],
        ).id


def in_terminal(columns: int, *arguments: str, environment: dict[str, str], folder: Path) -> tuple[int, list[str]]:
    """The exit code and the lines that a terminal of this width shows, without their colours."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    plain = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")} | {"NO_COLOR": "1"}
    process = subprocess.Popen([COMMAND, *arguments], env=plain, cwd=folder, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(ours)
    return process.wait(PATIENCE), shown.decode().splitlines()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_fit_the_terminal(columns: int, job_id: str, environment: dict[str, str], tmp_path: Path) -> None:
    code, lines = in_terminal(columns, "jobs", "list", environment=environment, folder=tmp_path)
    assert code == 0
    header, row = lines
    assert row.startswith(f"{job_id}  a name")
    assert "NEXT RUN" in header
    assert max(map(len, lines)) <= columns
    assert "…" in row


def test_nothing_is_cut_in_a_pipe(start: Start, job_id: str) -> None:
    out, _ = start("jobs", "list").communicate(timeout=PATIENCE)
    assert job_id in out
    assert "America/Argentina/Buenos_Aires" in out
    assert "a name that is longer than a narrow terminal has room for" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("arguments", [("openapi",), ("metrics",), ("--help",), ("jobs", "list", "-o", "jsonl")])
def test_a_pipe_that_is_closed_early_is_no_mistake(start: Start, job_id: str, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(*arguments, stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (141, "")


def test_a_disk_that_is_full_is_told(start: Start) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("openapi", stdout=full)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err == "cronhook: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("output", ["jsonl", "table"])
def test_ctrl_c_ends_following(start: Start, job_id: str, server: RunningServer, key: str, output: str) -> None:
    """Each line comes at once, also through a pipe."""
    process = start("logs", job_id, "--follow", "-o", output)
    assert process.stdout is not None
    with Cronhook(key, base_url=server.url) as client:
        while not _readable(process.stdout):
            client.jobs.run(job_id)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err.strip() == ""


def test_ctrl_c_ends_waiting_and_the_execution_goes_on(
    job_id: str, environment: dict[str, str], server: RunningServer, key: str, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    waiting = [COMMAND, "jobs", "run", job_id, "--wait"]
    process = subprocess.Popen(waiting, env=environment, cwd=tmp_path, stderr=theirs, stdout=subprocess.PIPE, text=True)
    os.close(theirs)
    shown = b""
    while b"queued, attempts so far: 1" not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE)
    os.close(ours)
    assert (process.returncode, out) == (130, "")
    with Cronhook(key, base_url=server.url) as client:
        (execution,) = client.executions.list(job_id)
    assert execution.status == "queued"


def _readable(stream: IO[str]) -> bool:
    """Whether a line has come within a second."""
    import select

    ready, _, _ = select.select([stream], [], [], 1.0)
    return bool(ready)
