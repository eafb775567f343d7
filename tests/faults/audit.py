"""Triggers that write down every change of an execution, in the transaction that makes it. For tests only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

TRANSITIONS = "fault_transitions"

_COLUMNS = "execution_id, old_status, new_status, old_attempt_no, new_attempt_no"
_OF_POSTGRES = f"""
    CREATE TABLE {TRANSITIONS} (
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        execution_id text NOT NULL, old_status text, new_status text, old_attempt_no int, new_attempt_no int
    );
    CREATE FUNCTION {TRANSITIONS}_write() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS})
        VALUES (coalesce(NEW.id, OLD.id), OLD.status, NEW.status, OLD.attempt_no, NEW.attempt_no);
        RETURN NULL;
    END $$;
    CREATE TRIGGER {TRANSITIONS} AFTER INSERT OR UPDATE OR DELETE ON executions
        FOR EACH ROW EXECUTE FUNCTION {TRANSITIONS}_write();
"""
_OF_SQLITE = f"""
    CREATE TABLE {TRANSITIONS} (
        n INTEGER PRIMARY KEY, execution_id TEXT NOT NULL,
        old_status TEXT, new_status TEXT, old_attempt_no INTEGER, new_attempt_no INTEGER
    );
    CREATE TRIGGER {TRANSITIONS}_insert AFTER INSERT ON executions BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS}) VALUES (NEW.id, NULL, NEW.status, NULL, NEW.attempt_no);
    END;
    CREATE TRIGGER {TRANSITIONS}_update AFTER UPDATE ON executions BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS})
        VALUES (NEW.id, OLD.status, NEW.status, OLD.attempt_no, NEW.attempt_no);
    END;
    CREATE TRIGGER {TRANSITIONS}_delete AFTER DELETE ON executions BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS}) VALUES (OLD.id, OLD.status, NULL, OLD.attempt_no, NULL);
    END;
"""


def audit_postgres(url: str) -> None:
    """Write down every change from now on; the database must be migrated."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_OF_POSTGRES)


def audit_sqlite(path: Path) -> None:
    """Write down every change from now on; the file must be migrated."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_OF_SQLITE)
