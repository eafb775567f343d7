"""Commands as a shell runs them: in a terminal, in a pipe, and interrupted."""

import os
import pty
import shlex
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx
import pytest

from cronhook_client import Cronhook
from tests.integration.client.running_server import RunningServer
from tests.services import free_port, wait_until

pytestmark = pytest.mark.suite("integration")

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


@pytest.mark.parametrize(
    "arguments",
    [("jobs", "show", ""), ("jobs", "delete", ""), ("logs", ""), ("executions", "show", ""), ("keys", "rotate", "")],
)
def test_an_unset_variable_in_the_place_of_an_id_is_told(start: Start, arguments: tuple[str, ...]) -> None:
    process = start(*arguments)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "an id is not empty" in err


def test_an_idempotency_key_that_cannot_be_sent_is_told(start: Start, job_id: str) -> None:
    process = start("jobs", "run", job_id, "--idempotency-key", "two words")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "visible ASCII" in err


def test_bytes_that_are_no_text_are_told(start: Start) -> None:
    process = start("jobs", "show", "\udce9")
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (2, "cronhook: an argument is not UTF-8\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams_are_no_mistake(closed: str, environment: dict[str, str], tmp_path: Path) -> None:
    command = f"{shlex.quote(COMMAND)} settings {closed}"
    ended = subprocess.run(["bash", "-c", command], env=environment, cwd=tmp_path, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_server_with_closed_streams_ends_as_it_should(
    closed: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """The number of a closed stream would be that of its listening socket."""
    command = f"exec {shlex.quote(COMMAND)} api {closed}"
    port = free_port()
    settings = environment | {"CRONHOOK_PORT": str(port), "CRONHOOK_DATABASE_URL": f"sqlite:///{tmp_path}/c.db"}
    with ended_at_last(subprocess.Popen(["bash", "-c", command], env=settings, cwd=tmp_path)) as process:
        wait_until(lambda: process.poll() is not None or serves(port), PATIENCE, "the server is ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@contextmanager
def ended_at_last(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    with process:
        try:
            yield process
        finally:
            process.kill()


def serves(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    return False


@pytest.mark.parametrize("command", ["up", "demo"])
def test_who_reads_only_the_first_line(command: str, environment: dict[str, str], tmp_path: Path) -> None:
    """A server goes on, as its log does when nobody reads it; a command that only tells ends."""
    reading, writing = os.pipe()
    os.close(reading)
    settings = {name: value for name, value in environment.items() if not name.startswith("CRONHOOK_")}
    port = free_port()
    started = subprocess.Popen(
        [COMMAND, command],
        env=settings | {"CRONHOOK_PORT": str(port)},
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with ended_at_last(started) as process:
        if command == "up":
            wait_until(lambda: process.poll() is not None or serves(port), PATIENCE, "the server is ready")
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == (0 if command == "up" else 141)


def test_a_terminal_without_every_sign(environment: dict[str, str], tmp_path: Path) -> None:
    settings = environment | {"PYTHONIOENCODING": "ascii", "TMPDIR": str(tmp_path)}
    ended = subprocess.run([COMMAND, "demo"], env=settings, cwd=tmp_path, capture_output=True, timeout=PATIENCE)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_ctrl_c_ends_the_demo(environment: dict[str, str], tmp_path: Path) -> None:
    settings = environment | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([COMMAND, "demo"], env=settings, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(PATIENCE) == 130
    assert list(tmp_path.iterdir()) == []


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
