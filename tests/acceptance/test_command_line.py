import json
import os
import pty
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.running import COMMAND, run, settings
from tests.services import free_port


class TestDemo:
    def test_shows_everything_and_leaves_nothing(self, tmp_path: Path) -> None:
        folder, temporary = tmp_path / "folder", tmp_path / "temporary"
        folder.mkdir()
        temporary.mkdir()
        began = time.monotonic()
        shown = subprocess.run(
            [COMMAND, "demo"],
            cwd=folder,
            env=settings() | {"TMPDIR": str(temporary)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert shown.returncode == 0, shown.stderr
        assert time.monotonic() - began < 15
        assert "All seen: 4 requests, 4 valid signatures, 2 retries." in shown.stdout
        assert shown.stdout.count("signature valid") == 4
        assert [status for status in ("answered 500", "answered 503", "answered 200") if status in shown.stdout] == [
            "answered 500",
            "answered 503",
            "answered 200",
        ]
        assert shown.stdout.count("Europe/Berlin") == 1
        assert "\x1b" not in shown.stdout
        assert shown.stderr == ""
        assert [*folder.iterdir(), *temporary.iterdir()] == []

    @pytest.mark.suite("integration")
    def test_has_colours_in_a_terminal(self, tmp_path: Path) -> None:
        ours, theirs = pty.openpty()
        demo = subprocess.Popen(
            [COMMAND, "demo"],
            cwd=tmp_path,
            env=settings() | {"TERM": "xterm-256color", "COLUMNS": "80"},
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # how Linux says that the other side is closed
            pass
        finally:
            os.close(ours)
        assert demo.wait(30) == 0
        assert b"All seen:" in shown
        assert b"\x1b[" in shown


@pytest.mark.parametrize("command", [[str(COMMAND)], [sys.executable, "-m", "cronhook_server"]])
def test_help_lists_the_commands_and_imports_no_server(command: list[str], tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", *(command[1:] or command), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("up", "demo", "keys", "migrate", "settings", "preview"):
        assert f" {name} " in shown.stdout
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert "cronhook_server.cli.group" in imported
    assert imported.isdisjoint({"litestar", "sqlalchemy", "aiohttp", "uvicorn", "asyncio", "cronhook_core.errors"})


@pytest.mark.suite("integration")
@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({"port": "http"}, "CRONHOOK_PORT"),
        ({"host": "no.such.host.invalid"}, "CRONHOOK_HOST"),
        ({"database_url": "mysql://me:hunter2@db/x"}, "CRONHOOK_DATABASE_URL"),
        ({"database_url": "postgresql://me:hunter2@127.0.0.1:1/x"}, "CRONHOOK_SECRET_KEY"),
        ({"database_url": "sqlite:///no-such-folder/cronhook.db"}, "CRONHOOK_DATABASE_URL"),
        ({"redis_url": "redis://:hunter2@localhost:x/0"}, "CRONHOOK_REDIS_URL"),
        ({"secret_key": "hunter2"}, "CRONHOOK_SECRET_KEY"),
        ({"secret_key_file": "no-such-file"}, "CRONHOOK_SECRET_KEY_FILE"),
        ({"allowed_targets": "localhost"}, "CRONHOOK_ALLOWED_TARGETS"),
        ({"worker_concurrency": "many"}, "CRONHOOK_WORKER_CONCURRENCY"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_line(tmp_path: Path, values: dict[str, str], variable: str) -> None:
    ended = run("up", folder=tmp_path, **({"port": "0"} | values))
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith(f"cronhook: {variable}: ")
    assert ended.stderr.count("\n") == 1
    assert "hunter2" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.suite("integration")
def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        ended = run("up", folder=tmp_path, port=port)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)  # what starts it again may find the port free
    assert f"CRONHOOK_PORT: cannot listen on 127.0.0.1 port {port}" in ended.stderr


@pytest.mark.suite("integration")
def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{free_port()}/x"
    for command in ("up", "migrate"):
        ended = run(command, folder=tmp_path, port=0, database_url=url, secret_key="x" * 32)
        assert (ended.returncode, ended.stderr.count("\n")) == (5, 1), ended.stderr
        assert "hunter2" not in ended.stderr


def test_settings_are_shown_masked(tmp_path: Path) -> None:
    shown = run("settings", "-o", "json", folder=tmp_path, database_url="postgresql://me:hunter2@db/x", port=9000)
    rows = {row["variable"]: row for row in json.loads(shown.stdout)}
    assert rows["CRONHOOK_PORT"] == {"variable": "CRONHOOK_PORT", "value": "9000", "source": "environment"}
    assert rows["CRONHOOK_DATABASE_URL"]["value"] == "postgresql://me:***@db/x"
    assert rows["CRONHOOK_HOST"]["source"] == "default"
    table = run("settings", folder=tmp_path)
    assert "CRONHOOK_WORKER_CONCURRENCY" in table.stdout


@pytest.mark.suite("integration")
def test_migrate_makes_the_schema_and_may_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        done = run("migrate", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("sqlite:///cronhook.db has schema ")


@pytest.mark.suite("integration")
def test_migrate_leaves_a_schema_that_it_does_not_know_and_says_so(tmp_path: Path) -> None:
    run("migrate", folder=tmp_path)
    with closing(sqlite3.connect(tmp_path / "cronhook.db")) as connection, connection:
        connection.execute("UPDATE cronhook_schema_version SET version_num = '9999'")
    done = run("migrate", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sqlite:///cronhook.db has schema 9999.\n")
    assert "nothing was changed" in done.stdout


class TestPreview:
    def test_prints_instants_of_the_zone(self, tmp_path: Path) -> None:
        shown = run("preview", "0 9 29 2 *", "--timezone", "Asia/Tokyo", "-n", "1", "-o", "json", folder=tmp_path)
        (instant,) = json.loads(shown.stdout)["data"]
        assert instant["local"].endswith("-02-29T09:00:00+09:00")
        assert instant["at"].endswith("-02-29T00:00:00Z")

    def test_prints_one_object_a_line(self, tmp_path: Path) -> None:
        shown = run("preview", "* * * * *", "-n", "3", "-o", "jsonl", folder=tmp_path)
        assert len([json.loads(line)["at"] for line in shown.stdout.splitlines()]) == 3

    def test_warns_beside_the_table(self, tmp_path: Path) -> None:
        shown = run("preview", "0 0 13 * FRI", folder=tmp_path)
        words, *table = shown.stdout.splitlines()
        assert words == "Runs at 00:00 on day 13 of the month or on Friday."
        assert len(table) == 11
        assert "either of day of month" in shown.stderr

    @pytest.mark.parametrize("arguments", [["60 * * * *"], ["* * * * *", "-z", "Mars/Olympus"], ["0 0 30 2 *"]])
    def test_refuses_as_the_api_does(self, tmp_path: Path, arguments: list[str]) -> None:
        shown = run("preview", *arguments, folder=tmp_path)
        assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
        assert shown.stderr.startswith("cronhook: ")
