"""The statements about workers' lives."""

from cronhook_core.backends.postgres.failures import MAY_WRITE

REGISTER = """
INSERT INTO workers (id, beat, registered_at, last_beat_at) VALUES ($1::text, 0, $2::timestamptz, $2::timestamptz)
ON CONFLICT DO NOTHING
"""
BEAT = """
UPDATE workers SET beat = beat + 1, last_beat_at = $2::timestamptz WHERE id = $1::text AND buried_at IS NULL RETURNING 1
"""
BURY = """
WITH silent AS MATERIALIZED (
    SELECT id FROM workers WHERE id = $1::text AND beat = $2::bigint AND buried_at IS NULL FOR UPDATE
)
UPDATE workers w SET buried_at = $3::timestamptz FROM silent s WHERE w.id = s.id RETURNING 1
"""
"""Races. A beat beside it: whoever comes second judges the row's newest version, and finds another beat or a buried
worker. A claim beside it: see `CLAIM`; ``FOR UPDATE`` is what its key share excludes, the update alone would not be.
"""
RETIRE = "DELETE FROM workers WHERE id = $1::text"
BEATS = f"SELECT id, beat FROM workers WHERE buried_at IS NULL AND {MAY_WRITE}"
RUNNING = "SELECT execution_id, attempt_no FROM claims WHERE worker_id = $1::text"
