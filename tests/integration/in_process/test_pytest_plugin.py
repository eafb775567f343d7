"""The fixtures that every program gets that has cronhook installed."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from cronhook_client import Webhook
from cronhook_server.testing import AsyncInProcessServer, InProcessServer, SignedRequest

URL = "https://app.example/hook"
PLUGIN = "cronhook_server.testing.pytest_plugin"


def test_the_servers(cronhook_server: InProcessServer, cronhook_async_server: AsyncInProcessServer) -> None:
    cronhook_server.mount(URL, lambda body, headers: None)
    cronhook_server.client.jobs.create(name="r", callback_url=URL, cron="0 * * * *")
    assert len(cronhook_server.advance(hours=3)) == 3
    assert cronhook_async_server.sent == []


async def test_the_async_one_in_a_coroutine(cronhook_async_server: AsyncInProcessServer) -> None:
    await cronhook_async_server.client.jobs.create(name="r", callback_url=URL, cron="0 * * * *")
    assert [job.name async for job in cronhook_async_server.client.jobs.list()] == ["r"]


def test_signed_requests(cronhook_signed_request: Callable[..., SignedRequest], cronhook_signing_secret: str) -> None:
    request = cronhook_signed_request([1, 2])
    assert Webhook(cronhook_signing_secret).verify(request.body, request.headers).json() == [1, 2]


class TestAnotherStart:
    @pytest.fixture
    def cronhook_start(self) -> datetime:
        return datetime(2030, 1, 31, tzinfo=UTC)

    def test_overriding_one_fixture_is_enough(
        self, cronhook_start: datetime, cronhook_server: InProcessServer, cronhook_async_server: AsyncInProcessServer
    ) -> None:
        assert cronhook_server.now == cronhook_async_server.now == cronhook_start


def test_pytest_finds_it() -> None:
    (found,) = entry_points(group="pytest11", name="cronhook")
    assert found.value == PLUGIN


def test_who_does_not_use_it_does_not_pay(tmp_path: Path) -> None:
    """Of all that is installed, only two empty packages and the plugin itself are loaded, and no fixture runs."""
    tmp_path.joinpath("test_own.py").write_text(
        "import sys\n"
        "def test_nothing_else_is_loaded():\n"
        "    loaded = {name for name in sys.modules if name.startswith(('cronhook', 'litestar', 'httpx', 'attr'))}\n"
        f"    assert loaded == {{'cronhook_server', 'cronhook_server.testing', '{PLUGIN}'}}\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "cronhook"],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_its_fixtures_have_the_name_of_the_package_before_them() -> None:
    from cronhook_server.testing import pytest_plugin

    fixtures = [
        name for name, value in vars(pytest_plugin).items() if type(value).__name__ == "FixtureFunctionDefinition"
    ]
    assert len(fixtures) == 5
    assert all(name.startswith("cronhook_") for name in fixtures)
