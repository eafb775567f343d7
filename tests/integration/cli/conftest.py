"""The command line in this process, against a real server."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import structlog

from cronhook_server.cli import run_command
from tests.integration.client.running_server import RunningServer


@attrs.frozen(kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # its log is not the output of a command
    try:
        with RunningServer(tmp_path_factory.mktemp("cli")) as running:
            yield running
    finally:
        structlog.reset_defaults()


@pytest.fixture
def key(server: RunningServer, request: pytest.FixtureRequest) -> str:
    """A key with all scopes of a workspace of the test's own."""
    return server.new_key(request.node.name)


@pytest.fixture
def cronhook(
    server: RunningServer, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command with the server and the key in its environment."""
    monkeypatch.setenv("CRONHOOK_BASE_URL", server.url)
    monkeypatch.setenv("CRONHOOK_API_KEY", key)

    def run(*arguments: str, stdin: bytes = b"") -> Ended:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            capsys.readouterr()
            try:
                code = run_command(arguments)
            except SystemExit as left:
                code = int(left.code or 0)
        written = capsys.readouterr()
        return Ended(code=code, out=written.out, err=written.err)

    return run


@pytest.fixture
def job(cronhook: Command) -> dict[str, Any]:
    """A job that does not run while a test does."""
    made: dict[str, Any] = cronhook(
        "jobs", "create", "--name", "a job", "--cron", "0 0 1 1 *", "--url", "http://127.0.0.1:9/x", "-o", "json"
    ).json
    return made
