"""Everything in one SQLite file: needs no server, and several processes may share it."""

from cronhook_core.errors import MissingDependency

try:
    import alembic  # noqa: F401
    import sqlalchemy  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingDependency("sqlite", error.name or "sqlalchemy") from None
