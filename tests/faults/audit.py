"""Triggers that write down every change of an execution, in its own transaction, with the state of its job."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

TRANSITIONS = "fault_transitions"

_COLUMNS = "execution_id, old_status, new_status, old_attempt_no, new_attempt_no, job_status, job_deleted_at"
_OF_JOB = "(SELECT status FROM jobs WHERE id = {row}.job_id), (SELECT deleted_at FROM jobs WHERE id = {row}.job_id)"
_OF_POSTGRES = f"""
    CREATE TABLE {TRANSITIONS} (
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        execution_id text NOT NULL, old_status text, new_status text, old_attempt_no int, new_attempt_no int,
        job_status text, job_deleted_at timestamptz,
        written_by text NOT NULL DEFAULT current_setting('application_name')
    );
    CREATE FUNCTION {TRANSITIONS}_write() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS})
        SELECT coalesce(NEW.id, OLD.id), OLD.status, NEW.status, OLD.attempt_no, NEW.attempt_no,
            job.status, job.deleted_at
        FROM (SELECT 1) AS one LEFT JOIN jobs AS job ON job.id = coalesce(NEW.job_id, OLD.job_id);
        RETURN NULL;
    END $$;
    CREATE TRIGGER {TRANSITIONS} AFTER INSERT OR UPDATE OR DELETE ON executions
        FOR EACH ROW EXECUTE FUNCTION {TRANSITIONS}_write();
"""
_OF_SQLITE = f"""
    CREATE TABLE {TRANSITIONS} (
        n INTEGER PRIMARY KEY, execution_id TEXT NOT NULL,
        old_status TEXT, new_status TEXT, old_attempt_no INTEGER, new_attempt_no INTEGER,
        job_status TEXT, job_deleted_at INTEGER
    );
    CREATE TRIGGER {TRANSITIONS}_insert AFTER INSERT ON executions BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS})
        VALUES (NEW.id, NULL, NEW.status, NULL, NEW.attempt_no, {_OF_JOB.format(row="NEW")});
    END;
    CREATE TRIGGER {TRANSITIONS}_update AFTER UPDATE ON executions BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS})
        VALUES (NEW.id, OLD.status, NEW.status, OLD.attempt_no, NEW.attempt_no, {_OF_JOB.format(row="NEW")});
    END;
    CREATE TRIGGER {TRANSITIONS}_delete AFTER DELETE ON executions BEGIN
        INSERT INTO {TRANSITIONS} ({_COLUMNS})
        VALUES (OLD.id, OLD.status, NULL, OLD.attempt_no, NULL, {_OF_JOB.format(row="OLD")});
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
