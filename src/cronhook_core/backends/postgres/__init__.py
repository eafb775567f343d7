"""Everything in one Postgres database (15 or later), shared by any number of machines."""

from cronhook_core.errors import MissingDependency

try:
    import alembic  # noqa: F401
    import psycopg  # noqa: F401
    import sqlalchemy.ext.asyncio  # noqa: F401
except ModuleNotFoundError as missing:
    raise MissingDependency("postgres", missing.name or "psycopg") from missing
