"""How a connection that is lost shows itself."""

from __future__ import annotations

from redis.exceptions import RedisError

_OF_UVLOOP = "the handler is closed"


def is_loss(failure: BaseException) -> bool:
    """Whether this failure tells of the connection, and not of a mistake in a command.

    uvloop raises a bare ``RuntimeError`` for a write on a connection that was reset since the last one.
    """
    return isinstance(failure, RedisError | OSError) or (
        isinstance(failure, RuntimeError) and _OF_UVLOOP in str(failure)
    )
