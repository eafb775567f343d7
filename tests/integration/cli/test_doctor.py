"""``cronhook doctor`` on real installations."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from cronhook_core.domain.time_zone import zone_database_version
from cronhook_server.cli import run_command
from tests.integration.client.running_server import SECRET_KEY, RunningServer
from tests.services import free_port

Checks = dict[str, dict[str, Any]]
Doctor = Callable[..., tuple[int, Checks]]
STRONG = "q3vP0Zr8nT6yWb2xKd9sLf4hGj7mCc1uEoAi5tRzXeYv"


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs it in an empty folder with these settings; the exit code and the checks by their names."""
    monkeypatch.chdir(tmp_path)

    def run(**settings: str) -> tuple[int, Checks]:
        with monkeypatch.context() as patched:
            for name, value in settings.items():
                patched.setenv(f"CRONHOOK_{name.upper()}", value)
            capsys.readouterr()
            try:
                code = run_command(("doctor", "-o", "json"))
            except SystemExit as left:
                code = int(left.code or 0)
        written = capsys.readouterr()
        assert "hunter2" not in written.out + written.err
        return code, {check["name"]: check for check in json.loads(written.out)["checks"]}

    return run


def statuses(checks: Checks) -> dict[str, str]:
    return {name: check["status"] for name, check in checks.items() if check["status"] != "ok"}


def test_an_empty_folder_stays_empty_and_nothing_is_wrong(doctor: Doctor, tmp_path: Path) -> None:
    code, checks = doctor()
    assert (code, statuses(checks)) == (0, {"database": "warning"})
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_setting_is_noticed(doctor: Doctor) -> None:
    _, checks = doctor(databse_url="sqlite:///x.db")
    assert checks["settings"]["status"] == "warning"
    assert "CRONHOOK_DATABASE_URL" in checks["settings"]["advice"]


class TestSqlite:
    @pytest.fixture(autouse=True)
    def made(self, doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
        """A database with its key, as `cronhook up` makes them."""
        assert run_command(("keys", "create", "--workspace", "w")) == 0
        capsys.readouterr()  # it shows the key

    def test_all_is_well(self, doctor: Doctor) -> None:
        code, checks = doctor()
        assert (code, statuses(checks)) == (0, {})
        assert "the database's own" in checks["secret key"]["detail"]

    def test_another_secret_key(self, doctor: Doctor) -> None:
        code, checks = doctor(secret_key=STRONG)
        assert (code, statuses(checks)) == (1, {"secret key": "failed"})

    def test_a_lost_secret_key_is_not_made_anew(self, doctor: Doctor, tmp_path: Path) -> None:
        (tmp_path / "cronhook.db.key").unlink()
        code, checks = doctor()
        assert (code, statuses(checks)) == (1, {"secret key": "failed"})
        assert not (tmp_path / "cronhook.db.key").exists()

    def test_a_schema_that_is_not_there(self, doctor: Doctor, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "cronhook.db")) as connection:
            connection.execute("DELETE FROM cronhook_schema_version")
            connection.commit()
        code, checks = doctor()
        assert (code, statuses(checks)) == (1, {"schema": "failed"})
        assert checks["schema"]["advice"] == "Run `cronhook migrate`."

    def test_files_that_others_may_read(self, doctor: Doctor, tmp_path: Path) -> None:
        (tmp_path / "cronhook.db.key").chmod(0o644)
        code, checks = doctor()
        assert (code, statuses(checks)) == (1, {"files": "failed"})
        assert checks["files"]["advice"].startswith("Run `chmod go-rwx cronhook.db.key`")

    def test_a_file_that_is_no_database(self, doctor: Doctor, tmp_path: Path) -> None:
        (tmp_path / "letter").write_text("dear reader, " * 1000)
        code, checks = doctor(database_url="sqlite:///letter", secret_key=STRONG)
        assert (code, checks["database"]["status"]) == (1, "failed")

    def test_rules_of_other_time_zones(self, doctor: Doctor, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "cronhook.db")) as connection:
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('zone_rules', '2020.1')")
            connection.commit()
        code, checks = doctor()
        assert (code, statuses(checks)) == (0, {"tzdata": "warning"})
        assert "2020.1" in checks["tzdata"]["detail"]
        assert zone_database_version() in checks["tzdata"]["detail"]


def test_beside_a_running_server(doctor: Doctor, tmp_path: Path) -> None:
    with RunningServer(tmp_path):
        code, checks = doctor(database_url=f"sqlite:///{tmp_path / 'cronhook.db'}", secret_key=SECRET_KEY)
    assert code == 0, checks


class TestServers:
    def test_all_is_well(self, doctor: Doctor, postgres_url: str, redis_url: str) -> None:
        code, checks = doctor(database_url=postgres_url, redis_url=redis_url, secret_key=STRONG)
        assert (code, statuses(checks)) == (0, {})
        assert checks["database"]["detail"].startswith("PostgreSQL ")
        assert {"database clock", "redis clock", "redis memory"} <= checks.keys()

    def test_a_database_without_tables(self, doctor: Doctor, postgres_url: str) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        code, checks = doctor(database_url=postgres_url, secret_key=STRONG)
        assert (code, statuses(checks)) == (1, {"schema": "failed"})

    def test_an_eviction_policy_that_deletes_locks(self, doctor: Doctor, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            before = client.config_get("maxmemory-policy")["maxmemory-policy"]
            client.config_set("maxmemory-policy", "allkeys-lru")
            try:
                code, checks = doctor(redis_url=redis_url)
            finally:
                client.config_set("maxmemory-policy", before)
        assert code == 1
        assert statuses(checks) == {"database": "warning", "redis memory": "failed"}

    def test_servers_that_are_away(self, doctor: Doctor) -> None:
        code, checks = doctor(
            database_url=f"postgresql://me:hunter2@127.0.0.1:{free_port()}/x",
            redis_url=f"redis://:hunter2@127.0.0.1:{free_port()}/0",
            secret_key=STRONG,
        )
        assert (code, statuses(checks)) == (1, {"database": "failed", "redis": "failed"})

    def test_postgres_without_a_secret_key(self, doctor: Doctor, postgres_url: str) -> None:
        code, checks = doctor(database_url=postgres_url)
        assert (code, statuses(checks)) == (1, {"secret key": "failed"})


def test_a_wrong_setting_is_a_check_that_failed(doctor: Doctor) -> None:
    code, checks = doctor(port="http")
    assert (code, statuses(checks)) == (1, {"settings": "failed"})
    assert checks["settings"]["advice"] == "Correct CRONHOOK_PORT."


def test_people_are_told_what_to_do(doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    doctor()
    assert run_command(("doctor",)) == 0
    told = capsys.readouterr().out.splitlines()
    (n,) = (n for n, line in enumerate(told) if line.startswith("warning  database "))
    assert told[n + 1].strip().startswith("-> `cronhook up` makes it")
    assert told[-1].endswith(" ok, 1 to look at, 0 failed.")
