"""The test servers keep what they promise: the same port and data over every kind of end, nothing left behind."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests import server_binaries
from tests.databases import Databases
from tests.services import PostgresServer, ServerProcess, ValkeyServer, wait_until
from tests.watchdog import gone

pytestmark = pytest.mark.suite("integration")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("end", ["stop", "immediate", "kill"])
def test_postgres_keeps_port_and_data(postgres: PostgresServer, end: str) -> None:
    url, pid = postgres.url, postgres.pid
    run(url, f"CREATE TABLE t_{end} AS SELECT 7 AS n")
    if end == "kill":
        postgres.kill()
    else:
        postgres.stop("immediate" if end == "immediate" else "fast")
    assert not postgres.running
    assert refused(postgres.port)
    postgres.start()
    assert (postgres.url, run(url, f"SELECT n FROM t_{end}")) == (url, [(7,)])
    assert postgres.pid != pid


def test_postgres_restarts_and_repeats_are_harmless(postgres: PostgresServer) -> None:
    pid = postgres.pid
    postgres.start()
    assert postgres.pid == pid
    postgres.restart()
    assert postgres.pid != pid
    postgres.stop()
    postgres.stop()
    postgres.kill()
    postgres.start()


def test_postgres_takes_settings() -> None:
    with PostgresServer(durable=True, settings={"max_connections": "17"}) as server:
        assert run(server.url, "SHOW fsync") == [("on",)]
        assert run(server.url, "SHOW max_connections") == [("17",)]
        assert run(server.url, "SHOW server_encoding") == [("UTF8",)]


def test_a_suspended_postgres_accepts_and_does_not_answer(postgres: PostgresServer) -> None:
    ssl_request = struct.pack("!ii", 8, 80877103)
    postgres.suspend()
    with socket.create_connection(("127.0.0.1", postgres.port), timeout=0.1) as client:
        client.sendall(ssl_request)
        with pytest.raises(TimeoutError):
            client.recv(1)
        postgres.resume()
        client.settimeout(10)
        assert client.recv(1) == b"N"


def test_a_server_that_cannot_start_shows_its_log() -> None:
    with pytest.raises(RuntimeError, match="not_a_setting"), PostgresServer(settings={"not_a_setting": "1"}):
        pass


def test_every_test_has_a_fresh_database(postgres: PostgresServer) -> None:
    databases = Databases(postgres.url)
    with databases.fresh() as first, databases.fresh() as second:
        run(first, "CREATE TABLE mine (n int)")
        assert run(second, "SELECT to_regclass('mine')") == [(None,)]
    databases.close()
    assert run(postgres.url, "SELECT datname FROM pg_database WHERE datname LIKE 'cronhook%'") == []


def test_the_postgres_fixture_has_the_tables(postgres_url: str) -> None:
    assert run(postgres_url, "SELECT to_regclass('jobs')::text") == [("jobs",)]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_valkey_keeps_its_port_and_nothing_else(valkey: ValkeyServer, end: str) -> None:
    with closing(redis.Redis.from_url(valkey.url)) as client:
        client.set("key", "value")
        getattr(valkey, end)()
        assert refused(valkey.port)
        valkey.start()
        assert client.get("key") is None


def test_valkey_takes_settings() -> None:
    with ValkeyServer(settings={"save": "3600 1"}) as server, closing(redis.Redis.from_url(server.url)) as client:
        client.set("key", "value")
        server.restart()
        assert client.get("key") == b"value"


def test_the_redis_fixture_is_empty(redis_url: str) -> None:
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize("kind", [PostgresServer, ValkeyServer])
@pytest.mark.parametrize("killed_first", [False, True])
def test_close_leaves_nothing(kind: type[ServerProcess], killed_first: bool) -> None:
    with kind() as server:
        pid, folder = server.pid, server.folder
        if killed_first:
            server.kill()
    assert not psutil.pid_exists(pid)
    assert not folder.exists()
    assert shared_memory(of=pid) == []


def shared_memory(*, of: int) -> list[str]:
    """The segments of System V shared memory that the process ``of`` made, where the kernel shows them."""
    listing = Path("/proc/sysvipc/shm")
    rows = listing.read_text().splitlines()[1:] if listing.exists() else []
    return [row for row in rows if row.split()[4] == str(of)]


@pytest.mark.parametrize("kind", ["PostgresServer", "ValkeyServer"])
def test_nothing_outlives_a_killed_test_run(kind: str) -> None:
    script = (
        f"from tests.services import {kind}\n"
        f"server = {kind}(); server.start(); print(server.pid, server.folder, flush=True)\n"
        "input()"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    pid, folder = killed.stdout.readline().split()
    server = psutil.Process(int(pid))
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    wait_until(lambda: gone(server) and not Path(folder).exists(), 10, "server and folder are gone")


def test_binaries_out_of_reach_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a virtual environment below /root."""
    monkeypatch.setattr(server_binaries, "_may_run", lambda binary, account: False)
    monkeypatch.setattr(server_binaries.os, "geteuid", lambda: 0)
    binaries, account = server_binaries.postgres_binaries.__wrapped__()
    assert account == "nobody"
    version = subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True, text=True)
    assert "PostgreSQL" in version.stdout
