"""Clocks that are wrong: nothing runs twice, nobody is taken for dead, and signatures stay valid."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests.faults import altered
from tests.faults.installation import Installation, Load
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import allowed, verdict

HOUR = timedelta(hours=1)
RATE = 15
SHIFTED = """
    CREATE SCHEMA shifted;
    CREATE TABLE shifted.by (seconds double precision NOT NULL);
    INSERT INTO shifted.by VALUES (0);
    CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
        $$ SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM shifted.by $$;
    GRANT USAGE ON SCHEMA shifted TO PUBLIC;
    GRANT SELECT ON shifted.by TO PUBLIC;
"""
BURIED = "SELECT count(*) FROM workers WHERE buried_at IS NOT NULL"


@pytest.mark.parametrize("role", ["scheduler", "worker", "api"])
@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["ahead", "behind"])
@pytest.mark.full
def test_one_node_has_a_wrong_clock(
    installation: Installation, scripted_receiver: ScriptedReceiver, role: str, ahead: timedelta, full: bool
) -> None:
    """It goes by the clock of the database, as all do."""
    installation.start(role, command=altered.command(clock_ahead=ahead))
    installation.open(*(other for other in ("scheduler", "worker") if other != role), api=role != "api")
    with Load(installation, scripted_receiver.url("/between/0.2/1/ok"), per_second=RATE) as load:
        scripted_receiver.wait_for(RATE * 3)
    assert verdict(installation, scripted_receiver, load.acts, lateness=allowed(full, 1.5)) == []
    wrong_by = [abs(a.timestamp - a.received_at.timestamp()) for a in scripted_receiver.arrivals]
    assert max(wrong_by) < 60
    assert installation.rows(BURIED) == [(0,)]


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "back"])
@pytest.mark.full
def test_the_clock_of_the_database_jumps(
    installation: Installation, scripted_receiver: ScriptedReceiver, by: timedelta, full: bool
) -> None:
    """Nobody believes it, as long as it has not stood for a minute."""
    name = installation.postgres_url.rpartition("/")[2]
    with psycopg.connect(installation.postgres_url, autocommit=True) as connection:
        connection.execute(SHIFTED)
        connection.execute(f'ALTER DATABASE "{name}" SET search_path = shifted, pg_catalog, public')
        processes = installation.open("scheduler", "scheduler", "worker")
        with Load(installation, scripted_receiver.url("/between/0.2/1/ok"), per_second=RATE) as load:
            scripted_receiver.wait_for(RATE)
            connection.execute("UPDATE shifted.by SET seconds = %s", [by.total_seconds()])
            for process in processes[1:]:
                process.wait_for_line("the server.s clock")
            scripted_receiver.wait_for(len(scripted_receiver.arrivals) + RATE * 3)
            connection.execute("UPDATE shifted.by SET seconds = 0")
    assert verdict(installation, scripted_receiver, load.acts, lateness=allowed(full, 1.5)) == []
    assert installation.rows(BURIED) == [(0,)]
