"""Queue, lock and clock on Redis 6.2 or later, or anything that speaks its protocol, such as Valkey."""

from cronhook_core.errors import MissingDependency

try:
    import hiredis  # noqa: F401
    import redis.asyncio  # noqa: F401
except ModuleNotFoundError as missing:
    raise MissingDependency("redis", missing.name or "redis") from missing
