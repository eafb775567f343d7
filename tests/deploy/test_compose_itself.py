"""compose.yaml as Docker's compose reads it, which needs no daemon for that: Debian's package."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.debian_packages import unpacked
from tests.deploy.test_compose import GIVEN, OURS, SERVICES, environment_of

pytestmark = pytest.mark.debian

ROOT = Path(__file__).parents[2]
PACKAGE = "docker-compose"
PROFILES = ("--profile", "monitoring")


def compose(*arguments: str, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    package = unpacked(PACKAGE)
    program = package.program("docker-compose")
    command = [program, "--file", ROOT / "compose.yaml", *arguments]
    environment = {**package.environment, "HOME": str(folder), **given}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_compose_reads_what_was_meant(tmp_path: Path) -> None:
    read = compose(*PROFILES, "config", "--format", "json", folder=tmp_path, **GIVEN)
    assert (read.returncode, read.stderr) == (0, "")
    services = json.loads(read.stdout)["services"]
    assert services.keys() == SERVICES.keys()
    for name in OURS:
        assert services[name]["environment"] == environment_of(name)
        assert services[name]["command"] == OURS[name]["command"]
        assert services[name]["build"]["context"] == str(ROOT)


@pytest.mark.parametrize("missing", GIVEN)
def test_compose_refuses_to_start_without_a_secret(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in GIVEN.items() if name != missing}
    refused = compose("config", "--quiet", folder=tmp_path, **given)
    assert refused.returncode != 0
    assert missing in refused.stderr
    assert "set it in .env" in refused.stderr
