"""What the documents say of the command line is what there is, and their commands do what they show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cronhook_client import Cronhook
from cronhook_core.domain.crontab_review import FindingCode
from cronhook_core.domain.schedule_warnings import WarningCode
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.group import COMMANDS, cli
from tests.docs.console import Shown, console_of, file_of
from tests.integration.client.running_server import RunningServer

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference" / "command_line.md"
LINT = DOCS / "how_to" / "check_a_crontab.md"
BACKUP = DOCS / "how_to" / "back_up_and_restore.md"
DOCTOR = DOCS / "how_to" / "find_what_is_wrong.md"


def first_cells(page: Path) -> list[str]:
    """The first cells of all rows of tables."""
    return [line.split("|")[1].strip() for line in page.read_text().splitlines() if line.startswith("| ")]


def all_commands() -> set[str]:
    context = click.Context(cli)
    found = set()
    for name in COMMANDS:
        command = cli.get_command(context, name)
        below = command.list_commands(context) if isinstance(command, click.Group) else []
        found |= {f"{name} {each}" for each in below} or {name}
    return found


def test_every_command_is_in_the_reference_and_every_documented_one_exists() -> None:
    documented = [cell.strip("`") for cell in first_cells(REFERENCE) if cell.startswith("`")]
    assert sorted(documented) == sorted(all_commands())


def test_every_exit_code_is_in_the_reference() -> None:
    assert [cell for cell in first_cells(REFERENCE) if cell.isdigit()] == [str(int(code)) for code in ExitCode]


def test_every_code_of_lint_is_explained() -> None:
    documented = [cell.strip("`") for cell in first_cells(LINT) if cell.startswith("`")]
    assert sorted(documented) == sorted([*FindingCode, *WarningCode])


def test_every_check_of_doctor_is_explained() -> None:
    source = "".join(
        (DOCS.parent / "src" / "cronhook_server" / name).read_text() for name in ("diagnosis.py", "cli/doctor.py")
    )
    makers = re.findall(r'(?:ok|warning|failed|make|clock_check)\(\s*"([a-z ]+)"', source)
    named = re.findall(r'name(?:, \w+)? = "([a-z ]+)"', source)
    documented = re.findall(r"`([a-z ]+)`", "".join(first_cells(DOCTOR)))
    assert set(documented) == {*makers, *named}


def run(shown: Shown, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **settings}
    return subprocess.run(
        ["bash", "-c", shown.command], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_lint_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_text(file_of(LINT, "text"))
    commands = console_of(LINT)
    assert len(commands) == 2
    for shown in commands:
        ended = run(shown, tmp_path)
        assert (ended.returncode, ended.stdout) == (1, shown.output)


def test_a_backup_is_made_and_restored_as_the_page_says(tmp_path: Path) -> None:
    secret_key = "q3vP0Zr8nT6yWb2xKd9sLf4hGj7mCc1uEoAi5tRzXeYv"
    (tmp_path / "cronhook.db.key").write_text(secret_key + "\n")
    (tmp_path / "cronhook.db.key").chmod(0o600)
    back_up, keep_key, *restore = console_of(BACKUP)
    with RunningServer(tmp_path, secret_key=secret_key) as server:
        key = server.new_key("w")
        with Cronhook(key, base_url=server.url) as client:
            kept = client.jobs.create(name="kept", cron="@yearly", callback_url="http://127.0.0.1:9/x")
            for shown in (back_up, keep_key):
                assert run(shown, tmp_path).returncode == 0
            client.jobs.create(name="later", cron="@yearly", callback_url="http://127.0.0.1:9/x")
    (tmp_path / "cronhook.db.key").unlink()
    assert len(restore) == 4
    for shown in restore:
        ended = run(shown, tmp_path)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    with RunningServer(tmp_path, secret_key=secret_key) as server, Cronhook(key, base_url=server.url) as client:
        assert [job.id for job in client.jobs.list()] == [kept.id]


@pytest.mark.parametrize("page", [LINT, BACKUP, DOCTOR], ids=lambda page: page.stem)
def test_commands_that_the_pages_name_exist(page: Path) -> None:
    named = re.findall(r"(?:`|\$ |^ *)cronhook ([a-z]+)", page.read_text(), re.MULTILINE)
    assert named
    assert set(named) <= COMMANDS.keys()
