"""Redis and Postgres in every bad state there is: nothing is lost or doubled, and all is well again by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg
import pytest
import redis

from tests.faults.chaos_proxy import ChaosBoard, Mode
from tests.faults.history import Fault
from tests.faults.installation import SCHEDULERS, WORKERS, Installation, Load, ahead, leader, metrics
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import verdict
from tests.services import PostgresServer, ValkeyServer, wait_until

PATH = "/between/0.2/1/ok"
RATE = 15
WITHOUT_REDIS = timedelta(seconds=1.5)
"""What losing Redis may cost, 99 times in a hundred."""
AWAY_AND_BACK = ["dependency_away", "dependency_back"]


@pytest.fixture
def board() -> Iterator[ChaosBoard]:
    with ChaosBoard() as running:
        yield running


@contextmanager
def flushed(server: ValkeyServer) -> Iterator[None]:
    """Every 2 s."""
    ended = threading.Event()

    def flush() -> None:
        with redis.Redis.from_url(server.url) as client:
            while not ended.wait(2):
                client.flushall()

    thread = threading.Thread(target=flush)
    thread.start()
    yield
    ended.set()
    thread.join()


@contextmanager
def filled(server: ValkeyServer) -> Iterator[None]:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        try:
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                client.set("anything", "at all")
            yield
        finally:
            client.config_set("maxmemory", "0")


@contextmanager
def restored(server: ValkeyServer) -> Iterator[None]:
    """It ends without a word, and comes back as it was some time ago."""
    with redis.Redis.from_url(server.url) as client:
        client.save()
    yield
    server.kill()
    server.start()


@contextmanager
def silent(server: ValkeyServer) -> Iterator[None]:
    """It accepts connections, and never answers."""
    server.suspend()
    yield
    server.resume()


STATES: dict[str, Callable[[ValkeyServer], object]] = {
    "flushed every 2 s": flushed,
    "full": filled,
    "restored from an older snapshot": restored,
    "silent": silent,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.full
def test_redis_in_a_bad_state_costs_little(
    installation: Installation, own_valkey: ValkeyServer, scripted_receiver: ScriptedReceiver, state: str
) -> None:
    processes = installation.open(*SCHEDULERS, *WORKERS)
    with Load(installation, scripted_receiver.url(PATH), per_second=RATE) as load:
        scripted_receiver.wait_for(RATE)
        with STATES[state](own_valkey):  # type: ignore[attr-defined]
            scripted_receiver.wait_for(RATE * 8)
        scripted_receiver.wait_for(RATE * 10)
    assert verdict(installation, scripted_receiver, load.acts, lateness=WITHOUT_REDIS) == []
    wait_until(lambda: all(told_of_redis(process) in ([], AWAY_AND_BACK) for process in processes), 10, "it is back")


def told_of_redis(process: CronhookProcess) -> list[str]:
    """Who did not need Redis meanwhile has not seen it go."""
    return [event["event"] for event in process.events() if "dependency" in event["event"]]


@pytest.mark.full
def test_redis_that_answers_after_two_seconds_costs_little(
    installation: Installation,
    own_valkey: ValkeyServer,
    scripted_receiver: ScriptedReceiver,
    board: ChaosBoard,
) -> None:
    proxy = board.proxy("all", "redis", url=own_valkey.url)
    installation.settings["CRONHOOK_REDIS_URL"] = proxy.url_for(own_valkey.url)
    installation.open(*SCHEDULERS, *WORKERS)
    with Load(installation, scripted_receiver.url(PATH), per_second=RATE) as load:
        scripted_receiver.wait_for(RATE)
        proxy.set(Mode.DELAY, seconds=2)
        scripted_receiver.wait_for(RATE * 10)
        assert proxy.hits[Mode.DELAY] > 0
        proxy.set(Mode.PASS)
        scripted_receiver.wait_for(RATE * 12)
    assert verdict(installation, scripted_receiver, load.acts, lateness=WITHOUT_REDIS) == []


@pytest.mark.parametrize("role", ["scheduler", "worker"])
@pytest.mark.full
def test_one_process_is_cut_off_from_redis_only(
    installation: Installation,
    own_valkey: ValkeyServer,
    scripted_receiver: ScriptedReceiver,
    board: ChaosBoard,
    role: str,
) -> None:
    proxy = board.proxy(role, "redis", url=own_valkey.url)
    cut_off = installation.start(role, CRONHOOK_REDIS_URL=proxy.url_for(own_valkey.url))
    installation.open(*SCHEDULERS, *WORKERS)
    with Load(installation, scripted_receiver.url(PATH), per_second=RATE) as load:
        scripted_receiver.wait_for(RATE)
        proxy.set(Mode.REFUSE)
        proxy.cut()
        cut_off.wait_for_line('"dependency_away"')
        scripted_receiver.wait_for(RATE * 6)
        proxy.set(Mode.PASS)
        wait_until(lambda: metrics(cut_off)["cronhook_redis_up"] == 1, 5, "it has Redis again")
    assert verdict(installation, scripted_receiver, load.acts, lateness=WITHOUT_REDIS) == []


@pytest.mark.full
def test_a_leader_that_is_cut_off_from_postgres_steps_down(
    installation: Installation, scripted_receiver: ScriptedReceiver, board: ChaosBoard
) -> None:
    proxy = board.proxy("leader", "postgres", url=installation.postgres_url)
    leading = installation.start("scheduler", CRONHOOK_DATABASE_URL=proxy.url_for(installation.postgres_url))
    leader([leading])
    _, following, _ = installation.open("scheduler", "worker")
    with Load(installation, scripted_receiver.url(PATH), per_second=RATE) as load:
        scripted_receiver.wait_for(RATE)
        cut_off_at = ahead()
        proxy.set(Mode.REFUSE)
        proxy.cut()
        wait_until(lambda: metrics(following)["cronhook_leader"] == 1, 60, "another leads")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + RATE * 3)
        (stepped_down,) = (event for event in leading.events("leadership") if not event["leads"])
        (took_over,) = (event for event in following.events("leadership") if event["leads"])
        assert stepped_down["reason"] in ("the database is away", "its planning hangs")
        assert (metrics(leading)["cronhook_leader"], metrics(following)["cronhook_leader"]) == (0, 1)
        proxy.set(Mode.PASS)
        wait_until(lambda: metrics(leading)["cronhook_database_up"] == 1, 5, "it has Postgres again")
    lasted = (datetime.fromisoformat(took_over["timestamp"]) - cut_off_at).total_seconds()
    print(f"another leads {lasted:.3f} s after the leader was cut off: {stepped_down['reason']}")
    assert lasted <= 4
    assert verdict(installation, scripted_receiver, load.acts, lateness=timedelta(seconds=5)) == []


def crash(server: PostgresServer) -> None:
    server.restart("immediate")


def kill_backends(server: PostgresServer) -> None:
    """Those of cronhook, all at once."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        killed = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname <> current_database() AND backend_type = 'client backend'"
        ).fetchone()
    assert killed is not None
    assert killed[0] > 4


@pytest.mark.parametrize("befall", [kill_backends, crash])
@pytest.mark.full
def test_postgres_fails_and_nothing_is_repeated(
    installation: Installation,
    own_postgres: PostgresServer,
    scripted_receiver: ScriptedReceiver,
    befall: Callable[[PostgresServer], None],
) -> None:
    processes = installation.open(*SCHEDULERS, *WORKERS)
    with Load(installation, scripted_receiver.url(PATH), per_second=RATE) as load:
        for _ in range(3):
            scripted_receiver.wait_for(len(scripted_receiver.arrivals) + RATE)
            befall(own_postgres)
    assert verdict(installation, scripted_receiver, load.acts) == []
    assert all(process.running for process in processes)


@pytest.mark.full
def test_an_outage_of_postgres_buries_nobody_and_repeats_nothing(
    installation: Installation, own_postgres: PostgresServer, scripted_receiver: ScriptedReceiver
) -> None:
    installation.open(*SCHEDULERS, *WORKERS)
    with Load(installation, scripted_receiver.url("/between/1/5/ok"), per_second=RATE) as load:
        scripted_receiver.wait_for(RATE * 3)
        began = ahead()
        own_postgres.stop()
        threading.Event().wait(30)
        own_postgres.start()
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + RATE)
    fault = Fault(kind="outage", target="postgres", began=began, ended=ahead(), lateness=timedelta(seconds=40))
    assert verdict(installation, scripted_receiver, load.acts, faults=[fault]) == []
    assert installation.rows("SELECT count(*) FROM workers WHERE buried_at IS NOT NULL") == [(0,)]


FIRST_FAILS = "/between/0.2/1/fail/1"
STATEMENTS = {
    "any": (b"", PATH),
    "plan": (b"expected_next_run", PATH),
    "claim": (b"SELECT * FROM taken", PATH),
    "finish after a success": (b"one_time AS MATERIALIZED", PATH),
    "finish after a failure": (b"closed_too AS", FIRST_FAILS),
    "create": (b"INSERT INTO jobs", PATH),
}
"""What only this one says of all that is sent to Postgres, and where webhooks go for it to be sent."""


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.full
def test_answers_of_postgres_are_lost(
    installation: Installation, scripted_receiver: ScriptedReceiver, board: ChaosBoard, statement: str
) -> None:
    """The server has committed, and the connection ends before it can say so."""
    proxy = board.proxy("all", "postgres", url=installation.postgres_url)
    direct = installation.settings["CRONHOOK_DATABASE_URL"]
    installation.settings["CRONHOOK_DATABASE_URL"] = proxy.url_for(direct)
    installation.open(*SCHEDULERS, *WORKERS)
    containing, path = STATEMENTS[statement]
    with Load(installation, scripted_receiver.url(path), per_second=RATE) as load:
        for lost in range(1, 31):
            scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 5)
            proxy.lose_answer(containing)
            proxy.wait_for(Mode.DROP_ANSWERS, lost, 30)
    assert verdict(installation, scripted_receiver, load.acts) == []


@contextmanager
def out_of_connections(url: str) -> Iterator[None]:
    """Nobody but the superuser gets in, and who was in is thrown out."""
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = 'ordinary'"
        )
        yield
        connection.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')


@contextmanager
def read_only(url: str) -> Iterator[None]:
    name = url.rpartition("/")[2]
    end_sessions = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = 'ordinary'"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        connection.execute(end_sessions)
        yield
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        connection.execute(end_sessions)


def as_ordinary_role(installation: Installation) -> None:
    """As users should: not as the superuser, whom no limit holds back."""
    with psycopg.connect(installation.postgres_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'ordinary'").fetchone():
            connection.execute("CREATE ROLE ordinary LOGIN")
        for kind in ("TABLES", "SEQUENCES"):
            connection.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO ordinary")
    ordinary = installation.postgres_url.replace("postgres@", "ordinary@")
    installation.settings["CRONHOOK_DATABASE_URL"] = ordinary


@pytest.mark.parametrize("state", [out_of_connections, read_only])
@pytest.mark.full
def test_postgres_refuses_and_all_wait_and_recover(
    installation: Installation,
    scripted_receiver: ScriptedReceiver,
    state: Callable[[str], object],
) -> None:
    as_ordinary_role(installation)
    processes = installation.open("scheduler", "worker")
    with Load(installation, scripted_receiver.url(PATH), per_second=RATE) as load:
        scripted_receiver.wait_for(RATE)
        with state(installation.postgres_url):  # type: ignore[attr-defined]
            wait_until(lambda: refused(installation), 60, "a write is refused")
            for process in processes[1:]:
                process.wait_for_line('"dependency_away".*"database"')
        back_at = ahead()
        stored = len(load.stored)
        wait_until(lambda: len(load.stored) > stored, 60, "jobs are stored again")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + RATE)
    healthy_in = first_after(scripted_receiver, back_at)
    print(f"first delivery {healthy_in:.3f} s after writes were allowed again")
    assert healthy_in <= 5
    assert verdict(installation, scripted_receiver, load.acts) == []
    assert all(process.running for process in processes)


def refused(installation: Installation) -> bool:
    """With a deliberate 503, which says when to come back."""
    body = {"name": "a job", "cron": "0 0 1 1 *", "callback_url": "http://127.0.0.1/"}
    answer = installation.request("POST", "/v1/jobs", body)
    return answer.status_code == 503 and "retry-after" in answer.headers


def first_after(receiver: ScriptedReceiver, moment: datetime) -> float:
    return min((a.received_at - moment).total_seconds() for a in receiver.arrivals if a.received_at > moment)
