"""Changes of the schema, one after the other, the same on SQLite and Postgres."""

from __future__ import annotations

from functools import cache
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from cronhook_core.backends.sql.engines import engine_for, lock_schema
from cronhook_core.backends.sql.tables import metadata
from cronhook_core.errors import ConfigurationError, SchemaMismatch

VERSION_TABLE = "cronhook_schema_version"
_ALEMBIC = Lock()
"""What migrations use, ``alembic.op`` and ``alembic.context``, is there once in a process that may open several files.

Whoever waits for it holds its own database, and who has it waits for no other one.
"""


def upgrade(database_url: str) -> str:
    """Bring the database to the newest schema, in one transaction; processes that do it at once wait for each other.

    A database with a schema newer than this version knows is left as it is. Returns the revision that it has then.
    """
    engine = engine_for(database_url)
    try:
        with engine.begin() as connection:
            upgrade_within(connection)
            return str(current_revision(connection))
    finally:
        engine.dispose()


def upgrade_within(connection: Connection) -> None:
    """As `upgrade`, within the connection's transaction, which the caller commits.

    `ConfigurationError` for a database in which another program has something of the name of a table.
    """
    lock_schema(connection)
    revision = current_revision(connection)
    if revision is None:
        _refuse_tables_of_others(connection)
    if not is_newer(revision):
        config = _config()
        config.attributes["connection"] = connection
        with _ALEMBIC:
            command.upgrade(config, "head")


_NAMES_TAKEN = {
    "sqlite": "SELECT lower(name) FROM sqlite_master",
    "postgresql": "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(current_schema())",
}
"""Of tables, views, sequences and indexes, where new ones are made."""


def _refuse_tables_of_others(connection: Connection) -> None:
    names = connection.exec_driver_sql(_NAMES_TAKEN[connection.dialect.name]).scalars()
    taken = sorted(metadata.tables.keys() & set(names))
    if taken:
        raise ConfigurationError(
            "CRONHOOK_DATABASE_URL",
            f"another program has what cronhook needs the name for in this database ({', '.join(taken)}): "
            "give cronhook a database of its own",
        )


def current_revision(connection: Connection) -> str | None:
    """The revision of the database's schema; None where cronhook never made one."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


@cache
def head_revision() -> str:
    """The revision that this version needs."""
    head = _scripts().get_current_head()
    if head is None:
        raise RuntimeError("the package was built without its migrations")
    return head


def check_schema(connection: Connection) -> str | None:
    """Raise `SchemaMismatch` for a schema that is older than this version needs, or missing.

    Returns the revision of one that is newer, which is worth a warning: schemas change so that the version before
    still works. None: it is the one that is needed.
    """
    found, wanted = current_revision(connection), head_revision()
    if found == wanted:
        return None
    if is_newer(found):
        return found
    raise SchemaMismatch(found, wanted)


def is_newer(revision: str | None) -> bool:
    """Whether a later version of cronhook made it."""
    return revision is not None and all(revision != known.revision for known in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "cronhook_core.backends.sql:migrations")
    config.set_main_option("path_separator", "os")
    return config
