"""Everything in one SQLite file: needs no server, and several processes may share it."""

from cronhook_core.errors import MissingDependency

try:
    from cronhook_core.backends.sqlite.account_store import SqliteAccountStore
    from cronhook_core.backends.sqlite.database import SqliteDatabase
    from cronhook_core.backends.sqlite.job_store import SqliteJobStore
    from cronhook_core.backends.sqlite.lock import SqliteLock
except ModuleNotFoundError as missing:
    if missing.name not in ("alembic", "sqlalchemy"):
        raise
    raise MissingDependency("sqlite", missing.name) from missing

__all__ = ["SqliteAccountStore", "SqliteDatabase", "SqliteJobStore", "SqliteLock"]
