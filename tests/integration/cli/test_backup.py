"""``cronhook backup``, and that what it writes can be put back."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cronhook_client import Cronhook
from cronhook_core.backends.sql.migrations import head_revision
from cronhook_server.cli import run_command
from tests.integration.client.running_server import RunningServer


def backup(file: Path) -> int:
    try:
        return run_command(("backup", str(file), "-o", "json"))
    except SystemExit as left:
        return int(left.code or 0)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the database of the settings is; there is none yet."""
    path = tmp_path / "server" / "cronhook.db"
    path.parent.mkdir()
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", f"sqlite:///{path}")
    return path


def test_a_copy_of_a_running_server_is_put_in_the_place_of_a_lost_database(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with RunningServer(database.parent) as server:
        key = server.new_key("w")
        with Cronhook(key, base_url=server.url) as client:
            kept = client.jobs.create(name="kept", cron="@yearly", callback_url="http://127.0.0.1:9/x")
            assert backup(copy) == 0
            client.jobs.create(name="later", cron="@yearly", callback_url="http://127.0.0.1:9/x")
    for lost in database.parent.iterdir():
        lost.unlink()
    shutil.copy(copy, database)
    with RunningServer(database.parent) as server, Cronhook(key, base_url=server.url) as client:
        assert [job.id for job in client.jobs.list()] == [kept.id]


class TestCopies:
    @pytest.fixture(autouse=True)
    def migrated(self, database: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(("migrate",)) == 0
        capsys.readouterr()

    def test_what_was_written_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert backup(tmp_path / "copy.db") == 0
        told = json.loads(capsys.readouterr().out)
        assert told == {
            "file": str(tmp_path / "copy.db"),
            "bytes": (tmp_path / "copy.db").stat().st_size,
            "schema": head_revision(),
        }
        assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600

    def test_a_database_of_another_schema_is_copied_too(self, database: Path, tmp_path: Path) -> None:
        """Before an upgrade is when a backup is wanted."""
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("UPDATE cronhook_schema_version SET version_num = '0000'")
            connection.commit()
        assert backup(tmp_path / "copy.db") == 0

    def test_an_older_copy_is_replaced_and_nothing_else(self, tmp_path: Path) -> None:
        other = tmp_path / "letter.txt"
        other.write_text("dear reader")
        assert backup(tmp_path / "copy.db") == backup(tmp_path / "copy.db") == 0
        assert backup(other) == 2
        assert other.read_text() == "dear reader"

    def test_what_is_no_regular_file_is_left_alone(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        assert backup(pipe) == 2
        assert pipe.is_fifo()
        device = tmp_path / "null"
        device.symlink_to("/dev/null")
        assert backup(device) == 2
        assert device.is_symlink()

    @pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal", ".key"])
    def test_the_names_beside_the_database_are_its_own(self, database: Path, ending: str) -> None:
        beside = database.with_name(f"{database.name}{ending}")
        before = beside.exists()
        assert backup(beside) == 2
        assert beside.exists() is before

    def test_the_database_is_not_its_own_copy(self, database: Path) -> None:
        before = database.read_bytes()
        assert backup(database) == 2
        assert database.read_bytes() == before

    def test_a_damaged_database_does_not_replace_a_copy(
        self, database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert backup(tmp_path / "copy.db") == 0
        before = (tmp_path / "copy.db").read_bytes()
        with database.open("r+b") as file:
            file.seek(3 * 4096)
            file.write(b"\xff" * 4096 * 4)
        assert backup(tmp_path / "copy.db") == 5
        assert (tmp_path / "copy.db").read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "server"]
        assert capsys.readouterr().err.startswith("cronhook: the database is damaged")

    def test_a_place_that_cannot_be_written(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert backup(tmp_path / "absent" / "copy.db") == 1
        assert "cannot be written: no such file or directory" in capsys.readouterr().err


def test_a_missing_database_is_told_and_not_made(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backup(tmp_path / "copy.db") == 2
    assert "is this the right folder?" in capsys.readouterr().err
    assert list(database.parent.iterdir()) == []


def test_a_file_of_somebody_else_is_not_taken_for_the_database(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE t (x)")
    assert backup(tmp_path / "copy.db") == 2


def test_postgres_has_a_tool_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1/x")
    assert backup(tmp_path / "copy.db") == 2
    told = capsys.readouterr().err
    assert "pg_dump" in told
    assert "hunter2" not in told
