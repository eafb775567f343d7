"""How messages look in Redis: the number of the format, then the fields, with a space between each two.

Instants are microseconds since the epoch. The host comes last and is all of the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronhook_core.domain.execution import QueueMessage

FORMAT = "1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def encode(message: QueueMessage) -> bytes:
    scheduled_for = (message.scheduled_for - _EPOCH) // _MICROSECOND
    return (
        f"{FORMAT} {message.execution_id} {message.job_id} {message.workspace_id}"
        f" {scheduled_for} {message.attempt} {message.host}"
    ).encode()


def decode(encoded: bytes) -> QueueMessage | None:
    """The message, or None where another version of cronhook, or something else, wrote it.

    NUL is in none of ours: an id that no store takes would fail the claims of all that came with it.
    """
    try:
        number, execution_id, job_id, workspace_id, scheduled_for, attempt, host = encoded.decode().split(" ", 6)
        if number != FORMAT or b"\0" in encoded:
            return None
        return QueueMessage(
            execution_id=execution_id,
            job_id=job_id,
            workspace_id=workspace_id,
            host=host,
            scheduled_for=_EPOCH + timedelta(microseconds=int(scheduled_for)),
            attempt=int(attempt),
        )
    except (ValueError, OverflowError):
        return None


def encode_instant(instant: datetime) -> bytes:
    return str((instant - _EPOCH) // _MICROSECOND).encode()


def decode_instant(encoded: bytes) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=int(encoded))
    except (ValueError, OverflowError):
        return None
