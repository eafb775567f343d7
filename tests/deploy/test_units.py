"""The systemd units: their commands and settings exist, and systemd has nothing to say against them where it is."""

import ctypes
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from cronhook_server.cli.group import COMMANDS
from cronhook_server.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
UNITS = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.service"))}
INSTALLED = "/opt/cronhook/bin/cronhook"
RESTRICTIONS = r"(NoNew|Protect|Private|Restrict|Lock|Capability|SystemCall|Memory|Proc|UMask)\w+="
VARIABLES = {shown.variable for shown in Settings().shown()}


def values(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNITS[unit], re.MULTILINE)


def test_there_is_a_unit_for_every_way_to_run() -> None:
    commands = {values(unit, "ExecStart")[0].removeprefix(f"{INSTALLED} ") for unit in UNITS}
    assert commands == {"up", "api", "scheduler", "worker", "migrate"}
    assert commands <= COMMANDS.keys()


@pytest.mark.parametrize("unit", UNITS)
def test_settings_are_settings(unit: str) -> None:
    written = dict(setting.split("=", 1) for setting in values(unit, "Environment"))
    assert {variable.removesuffix("_FILE") for variable in written} <= VARIABLES
    Settings.read(
        {
            variable: value.replace("%S", "/var/lib").replace("%i", "1")
            for variable, value in written.items()
            if not variable.endswith("_FILE")
        }
    )


def test_the_example_of_an_environment_can_be_read() -> None:
    lines = [line for line in (FOLDER / "cronhook.env").read_text().splitlines() if not line.startswith("#")]
    written = dict(line.split("=", 1) for line in lines)
    assert written.keys() <= VARIABLES
    assert "CRONHOOK_SECRET_KEY" not in written
    assert Settings.read(written).redis_url is not None


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "cronhook-migrate.service"])
def test_a_process_is_started_again_and_has_time_to_end(unit: str) -> None:
    assert values(unit, "Restart") == ["on-failure"]
    assert values(unit, "RestartPreventExitStatus") == ["2"]
    stop_within = timedelta(seconds=int(values(unit, "TimeoutStopSec")[0]))
    assert stop_within >= Settings().drain_timeout + timedelta(seconds=10)


@pytest.mark.parametrize("unit", UNITS)
def test_nothing_runs_as_root(unit: str) -> None:
    assert values(unit, "User") == ["cronhook"]
    assert values(unit, "NoNewPrivileges") == ["yes"]


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_restricted_alike(unit: str) -> None:
    restrictions = [line for line in UNITS["cronhook-api.service"].splitlines() if re.match(RESTRICTIONS, line)]
    assert restrictions
    assert [line for line in UNITS[unit].splitlines() if re.match(RESTRICTIONS, line)] == restrictions


if sys.platform == "linux":

    @pytest.mark.suite("integration")
    def test_it_runs_without_memory_that_is_writable_and_executable(tmp_path: Path) -> None:
        """What `MemoryDenyWriteExecute=yes` does where the kernel knows how (Linux 6.3): see prctl(2), PR_SET_MDWE."""

        def deny() -> None:
            set_mdwe, refuse_exec_gain = 65, 1
            ctypes.CDLL(None).prctl(set_mdwe, refuse_exec_gain, 0, 0, 0)

        demo = [Path(sys.executable).with_name("cronhook"), "demo"]
        ran = subprocess.run(demo, cwd=tmp_path, capture_output=True, text=True, timeout=120, preexec_fn=deny)
        assert ran.returncode == 0, ran.stdout + ran.stderr


if shutil.which("systemd-analyze"):

    def test_systemd_has_nothing_to_say_against_them(tmp_path: Path) -> None:
        here = str(Path(sys.executable).with_name("cronhook"))
        for name, unit in UNITS.items():
            (tmp_path / name).write_text(unit.replace(INSTALLED, here))
        paths = [str(tmp_path / name.replace("@.", "@1.")) for name in UNITS]
        verified = subprocess.run(
            ["systemd-analyze", "verify", *paths], capture_output=True, text=True, timeout=60, check=False
        )
        assert (verified.returncode, verified.stderr) == (0, "")
