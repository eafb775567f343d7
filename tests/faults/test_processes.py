"""Processes under control: a small program that does as it is told, and cronhook itself."""

from __future__ import annotations

import signal
import sys
import textwrap
from collections.abc import Iterator

import psutil
import pytest

from tests.faults.embedded import make_key
from tests.faults.processes import CronhookProcess, is_alive
from tests.services import free_port, wait_until

PROGRAM = textwrap.dedent(
    """
    import json, os, signal, sys
    def say(**fields):
        print(json.dumps(fields), flush=True)
    def end(*_):
        say(event="ending")
        sys.exit(7)
    signal.signal(signal.SIGTERM, end)
    settings = {name: value for name, value in os.environ.items() if name.startswith("CRONHOOK_")}
    print("no JSON")
    say(event="started", arguments=sys.argv[1:], settings=settings, folder=os.getcwd())
    while "end" not in sys.argv:
        signal.pause()
    """
)


def program(*arguments: str, **settings: str) -> CronhookProcess:
    return CronhookProcess(*arguments, settings=settings, command=(sys.executable, "-c", PROGRAM))


@pytest.fixture
def process() -> Iterator[CronhookProcess]:
    with program("one", "two", CRONHOOK_PORT="1") as running:
        running.wait_for_line('"started"')
        yield running


def test_it_is_started_with_its_settings_and_no_others(
    monkeypatch: pytest.MonkeyPatch, process: CronhookProcess
) -> None:
    (started,) = process.events("started")
    assert started["arguments"] == ["one", "two"]
    assert started["settings"] == {"CRONHOOK_PORT": "1"}
    assert started["folder"] == str(process.folder)
    monkeypatch.setenv("CRONHOOK_HOST", "of the tests")
    with program("end") as other:
        assert other.wait() == 0
        assert other.events("started")[0]["settings"] == {}


def test_failpoints_are_given_in_the_environment() -> None:
    command = (sys.executable, "-c", PROGRAM)
    with CronhookProcess("end", settings={}, failpoints="store.plan.before=kill", command=command) as process:
        process.wait()
        assert process.events("started")[0]["settings"] == {"CRONHOOK_FAILPOINTS": "store.plan.before=kill"}


def test_it_is_stopped_and_goes_on(process: CronhookProcess) -> None:
    process.suspend()
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, 5, "it stands still")
    process.terminate()
    process.resume()
    assert process.wait() == 7
    assert not process.running


def test_it_is_killed_and_starts_again_with_the_same_log(process: CronhookProcess) -> None:
    first, size = process.pid, process.log_size()
    process.kill()
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.start().wait_for_line('"started"', after=size)
    assert process.pid != first
    assert len(process.events("started")) == 2


def test_a_line_that_never_comes_is_not_waited_for_for_ever(process: CronhookProcess) -> None:
    with pytest.raises(TimeoutError, match="started"):
        process.wait_for_line("never", 0.05)
    process.terminate()
    with pytest.raises(RuntimeError, match="ending"):
        process.wait_for_line("never")


def test_closing_ends_it_whatever_it_does(process: CronhookProcess) -> None:
    process.suspend()
    process.close()
    assert not process.running
    assert not psutil.pid_exists(process.pid)
    process.close()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One that has its first key."""
    settings = {"CRONHOOK_DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('database') / 'cronhook.db'}"}
    make_key(settings)
    return settings


@pytest.fixture(scope="module")
def cronhook(port: int, database: dict[str, str]) -> Iterator[CronhookProcess]:
    settings = {**database, "CRONHOOK_PORT": str(port), "CRONHOOK_LOG_FORMAT": "json"}
    with CronhookProcess("up", settings=settings) as running:
        running.wait_until_alive(f"http://127.0.0.1:{port}")
        yield running


def test_cronhook_itself_lives_stands_still_and_ends(cronhook: CronhookProcess, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    assert is_alive(url)
    cronhook.suspend()
    assert not is_alive(url, timeout=0.1)
    cronhook.resume()
    wait_until(lambda: is_alive(url), 10, "it goes on")
    cronhook.terminate()
    assert cronhook.wait() == 0
    assert not is_alive(url)
    assert len(cronhook.events("stopping")) == 1


def test_cronhook_with_failpoints_dies_at_one(database: dict[str, str]) -> None:
    settings = {**database, "CRONHOOK_PORT": str(free_port())}
    with CronhookProcess("up", settings=settings, failpoints="lock.acquire.after=kill@1") as process:
        assert process.wait() == -signal.SIGKILL
        (hit,) = process.events("failpoint")
        assert (hit["point"], hit["action"], hit["hit"]) == ("lock.acquire.after", "kill", 1)


def test_one_that_cannot_start_is_noticed() -> None:
    with (
        CronhookProcess("up", settings={"CRONHOOK_PORT": "none"}) as process,
        pytest.raises(RuntimeError, match="CRONHOOK_PORT"),
    ):
        process.wait_until_alive("http://127.0.0.1:9")
