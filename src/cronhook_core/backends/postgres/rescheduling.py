"""Moves the instants of many jobs: the rules of time zones have changed, or the clock was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cronhook_core.backends.postgres.arrays import instants, numbers, texts
from cronhook_core.domain.planning import Rescheduling

REMEMBER = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

RESCHEDULE = """
WITH move AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
        AS m (job_id, revision, expected_next_run, next_run, planned_through)
), applies AS MATERIALIZED (
    SELECT m.* FROM move m JOIN jobs j ON j.id = ANY (ARRAY[m.job_id])
    WHERE j.status = 'active' AND j.revision = m.revision AND j.next_run = m.expected_next_run
    ORDER BY m.job_id
    FOR NO KEY UPDATE OF j
), moved AS (
    UPDATE jobs j SET next_run = a.next_run, planned_through = a.planned_through
    FROM applies a WHERE j.id = ANY (ARRAY[a.job_id])
    RETURNING a.*
), unlisted AS (
    DELETE FROM timetable t USING moved m
    WHERE t.next_run = ANY (ARRAY[m.expected_next_run]) AND t.job_id = ANY (ARRAY[m.job_id])
      AND m.next_run <> m.expected_next_run
), listed AS (
    INSERT INTO timetable (next_run, job_id) SELECT next_run, job_id FROM moved WHERE next_run <> expected_next_run
)
SELECT job_id FROM moved
"""
"""Races: as for the statement that plans, which locks jobs in the same order."""


def rescheduling_parameters(moves: Sequence[Rescheduling]) -> list[Any]:
    """The parameters of `RESCHEDULE`; of two moves of one job the first counts."""
    of_job = {move.job_id: move for move in reversed(moves)}.values()
    return [
        texts([move.job_id for move in of_job]),
        numbers([move.revision for move in of_job]),
        instants([move.expected_next_run for move in of_job]),
        instants([move.next_run for move in of_job]),
        instants([move.planned_through for move in of_job]),
    ]
