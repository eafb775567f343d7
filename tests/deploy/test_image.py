"""The Dockerfile, as far as it can be checked without Docker: what it copies installs, and its commands exist."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cronhook_server.cli.group import COMMANDS
from cronhook_server.settings import Settings
from tests.acceptance.running import Up
from tests.faults.processes import CronhookProcess
from tests.services import free_port

pytestmark = pytest.mark.suite("integration")

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text()).splitlines()
    if line and not line.startswith("#")
]
FINAL = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
COPIED = [
    path for name, value in INSTRUCTIONS if name == "COPY" and "--from" not in value for path in value.split()[:-1]
]


def value_of(name: str) -> str:
    (value,) = [value for instruction, value in FINAL if instruction == name]
    return value


def health_check() -> list[str]:
    command: list[str] = json.loads(value_of("HEALTHCHECK").partition("CMD")[2])
    return command


def ask(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The image's health check, with the command that is installed here."""
    program, *arguments = health_check()
    command = [Path(sys.executable).with_name(program), *arguments]
    environment = {**os.environ, "CRONHOOK_BASE_URL": url}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_it_runs_as_a_user_that_is_not_root() -> None:
    user, _, group = value_of("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert [name for name, _ in FINAL].index("USER") < [name for name, _ in FINAL].index("ENTRYPOINT")


def test_its_commands_are_those_of_cronhook() -> None:
    assert json.loads(value_of("ENTRYPOINT")) == ["cronhook"]
    assert json.loads(value_of("CMD"))[0] in COMMANDS
    assert health_check()[:2] == ["cronhook", "health"]
    assert value_of("STOPSIGNAL") == "SIGTERM"


def test_its_settings_are_settings() -> None:
    values = dict(re.findall(r"(CRONHOOK_\w+)=(\S+)", value_of("ENV")))
    settings = Settings.read(values)
    assert values.keys() <= {shown.variable for shown in Settings().shown()}
    assert (settings.host, settings.port, settings.metrics_port) == ("0.0.0.0", 8080, 9108)
    assert value_of("EXPOSE").split() == [str(settings.port), str(settings.metrics_port)]
    assert settings.database_url.startswith(f"sqlite:///{value_of('VOLUME')}/")


def test_what_is_copied_reaches_the_build() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(COPIED) == let_through
    assert all((ROOT / path).exists() for path in COPIED)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built of nothing but what the image copies, unpacked."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for path in COPIED:
        (source / path).symlink_to(ROOT / path)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=120)
    (wheel,) = target.glob("cronhook-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def test_what_is_copied_installs_and_runs(installed: Path) -> None:
    code = "import cronhook_server; print(cronhook_server.__file__); from cronhook_server.cli import main; main()"
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(installed)}
    ran = subprocess.run(
        [sys.executable, "-c", code, "migrate"],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert str(installed) in ran.stdout
    assert (installed / "cronhook.db").exists()
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "cronhook = cronhook_server.cli:main" in entry_points.read_text()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path) as server:
        yield server


def test_the_health_check_tells_a_server_from_none(up: Up, tmp_path: Path) -> None:
    assert ask(up.url, tmp_path).returncode == 0
    assert ask(f"http://127.0.0.1:{free_port()}", tmp_path).returncode != 0


def test_the_health_check_is_answered_by_daemons_too(tmp_path: Path) -> None:
    settings = {"CRONHOOK_DATABASE_URL": f"sqlite:///{tmp_path / 'cronhook.db'}", "CRONHOOK_LOG_FORMAT": "json"}
    with CronhookProcess("worker", settings=settings) as worker:
        worker.wait_for_line('"listening"')
        (listening,) = worker.events("listening")
        answered = ask(listening["address"], tmp_path)
    assert (answered.returncode, answered.stdout) == (0, ""), answered.stderr
