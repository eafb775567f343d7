"""Secrets in every door of a running server, which is then made to speak: of errors, of its settings, of itself. And
that a run in which one shows fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.running import Up, ahead, run
from tests.canaries import DATABASE_PASSWORD, HEADER_VALUE, MARK, REDIS_PASSWORD, SECRET_KEY, Lookout, canary
from tests.receiver import Receiver
from tests.services import free_port

pytestmark = pytest.mark.suite("integration")

ROOT = Path(__file__).parents[2]

LEAKING = """
import logging

import httpx

from tests.canaries import SECRET_KEY, canary
from cronhook_core.domain.api_key import key_from_bits


def test_prints():
    print("the key is", SECRET_KEY)


def test_logs():
    logging.getLogger("x").warning("refused %s", canary("header"))


def test_writes_a_file(tmp_path):
    (tmp_path / "server.log").write_text(f"request with {key_from_bits(7)}")


def test_answers():
    answer = lambda request: httpx.Response(400, json={"detail": f"not {canary('password')}"})
    httpx.Client(transport=httpx.MockTransport(answer)).get("http://api/v1/jobs")
"""
CLEAN = """
import httpx

from cronhook_core.domain.api_key import key_from_bits


def test_prints_what_is_no_key():
    print("chk_" + 49 * "x", "whsec_x")


def test_keys_are_shown_once():
    answer = lambda request: httpx.Response(201, json={"key": key_from_bits(7)})
    httpx.Client(transport=httpx.MockTransport(answer)).post("http://api/v1/keys")
"""


def run_pytest(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    arguments = [
        "-p",
        "tests.canary_plugin",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "--basetemp",
        str(folder / "t"),
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments, str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def elsewhere() -> Path:
    """A folder that is not looked into: what is found there is found by the run within the run."""
    from tests.watchdog import WATCHDOG

    folder = WATCHDOG.make_folder()
    WATCHDOG.folders.remove(folder)
    return folder


def test_a_run_in_which_secrets_show_fails(elsewhere: Path) -> None:
    ended = run_pytest(elsewhere, LEAKING)
    assert ended.returncode == 1
    assert "4 passed, 1 error" in ended.stdout
    for place in (
        "in the captured stdout call of test_it.py::test_prints",
        "in the captured log call of test_it.py::test_logs",
        "an API key in the file server.log of test_writes_a_file0",
        "in the answer 400 to GET /v1/jobs",
    ):
        assert place in ended.stdout, ended.stdout


def test_a_run_without_passes(elsewhere: Path) -> None:
    ended = run_pytest(elsewhere, CLEAN)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_the_generated_key_is_looked_for_beside_it(elsewhere: Path) -> None:
    (elsewhere / "cronhook.db.key").write_text("the-generated-key\n")
    (elsewhere / "log").write_text("started with the-generated-key")
    lookout = Lookout()
    lookout.look_into(elsewhere)
    assert lookout.leaks == [f"the key of cronhook.db.key in the file log of {elsewhere.name}"]


def test_a_server_that_is_made_to_speak_tells_no_secret(tmp_path: Path, receiver: Receiver) -> None:
    """What it says is looked at by the run itself; here it must only have said something."""
    with Up(tmp_path, secret_key=SECRET_KEY, log_format="json") as up:
        failing = up.create(
            run_at=ahead(seconds=0),
            callback_url=receiver.url("/status/500"),
            retry_delays_seconds=[],
            headers={"authorization": HEADER_VALUE, "x-token": canary("token")},
        )
        up.ended(failing["id"])
        assert receiver.arrivals[0].headers["authorization"] == HEADER_VALUE
        for body in (
            {"headers": {"authorization": HEADER_VALUE + "\n"}},
            {"headers": {"x-token": canary("token") * 200}},
            {"headers": {"host": canary("host")}},
        ):
            assert up.request("PATCH", f"/v1/jobs/{failing['id']}", json=body).status_code == 400
        assert up.request("GET", f"/v1/jobs/{failing['id']}").json()["headers"]["x-token"] == "***"
        assert up.request("GET", f"/v1/jobs/{failing['id']}/logs").status_code == 200
        assert up.request("GET", "/metrics").status_code == 200
        assert up.request("GET", "/health").status_code == 200
        secret = up.request("GET", "/v1/workspace/signing-secret").json()["secret"]
        assert secret.startswith("whsec_")
        assert up.stop() == 0
        assert '"event":"attempt"' in up.log.replace(" ", "")
        assert not any(text in up.log for text in (secret, up.key or "no key", MARK))


@pytest.mark.parametrize("output", ["table", "json"])
def test_settings_are_shown_without(tmp_path: Path, output: str) -> None:
    secrets = {
        "secret_key": SECRET_KEY,
        "database_url": f"postgresql://me:{DATABASE_PASSWORD}@db/x?password={DATABASE_PASSWORD}",
        "redis_url": f"redis://:{REDIS_PASSWORD}@cache:6379/0?password={REDIS_PASSWORD}",
    }
    shown = run("settings", "-o", output, folder=tmp_path, **secrets)
    assert shown.returncode == 0
    assert "CRONHOOK_SECRET_KEY" in shown.stdout
    assert MARK not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {"secret_key": canary("x")[:31]},
        {"redis_url": f"http://:{REDIS_PASSWORD}@cache"},
        {"redis_url": f"redis://:{REDIS_PASSWORD}@cache:port/0"},
        {"database_url": f"mysql://me:{DATABASE_PASSWORD}@db/x"},
        {"database_url": f"postgresql://me:{DATABASE_PASSWORD}@[db/x"},
        {"database_url": f"postgresql://me:{DATABASE_PASSWORD}@db/x?no_option={DATABASE_PASSWORD}"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_wrong_settings_are_told_without(tmp_path: Path, settings: dict[str, str]) -> None:
    ended = run("api", folder=tmp_path, port=0, **{"secret_key": SECRET_KEY} | settings)
    assert ended.returncode == 2
    assert "cronhook: CRONHOOK_" in ended.stderr
    assert MARK not in ended.stdout + ended.stderr


def test_a_database_that_refuses_is_told_without(tmp_path: Path) -> None:
    url = f"postgresql://me:{DATABASE_PASSWORD}@127.0.0.1:{free_port()}/x"
    ended = run("keys", "list", "--workspace", "default", folder=tmp_path, database_url=url, secret_key=SECRET_KEY)
    assert ended.returncode != 0
    assert ended.stderr
    assert MARK not in ended.stdout + ended.stderr
