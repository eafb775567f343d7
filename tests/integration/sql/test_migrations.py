"""The migrations lead to what `tables.py` says, and nothing but them changes a schema."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, text

from cronhook_core.backends.sql.engines import engine_for, lock_schema
from cronhook_core.backends.sql.migrations import (
    VERSION_TABLE,
    check_schema,
    current_revision,
    head_revision,
    upgrade,
)
from cronhook_core.backends.sql.tables import metadata
from cronhook_core.errors import ConfigurationError, SchemaMismatch

SQLITE_CATALOGUE = "SELECT name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
POSTGRES_CATALOGUE = """
    SELECT c.relname, a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), co.collname, a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid), c.reloptions)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_collation co ON co.oid = a.attcollation
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'p', 'u')
"""


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fresh.db'}"
    url: str = request.getfixturevalue("postgres_url")
    with engine_for(url).begin() as connection:
        empty(connection)
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = engine_for(database_url)
    yield engine
    engine.dispose()


def empty(connection: Connection) -> None:
    connection.execute(text("DROP SCHEMA public CASCADE"))
    connection.execute(text("CREATE SCHEMA public"))


def catalogue(engine: Engine) -> set[tuple[str, ...]]:
    """Everything the database knows of our tables, storage parameters included."""
    query = SQLITE_CATALOGUE if engine.dialect.name == "sqlite" else POSTGRES_CATALOGUE
    with engine.begin() as connection:
        rows = [tuple(map(str, row)) for row in connection.execute(text(query))]
    return {tuple(" ".join(word.split()) for word in row) for row in rows if VERSION_TABLE not in row}


def test_the_migrated_schema_is_the_one_of_the_tables(database_url: str, engine: Engine) -> None:
    upgrade(database_url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_catalogue_is_the_same_as_if_the_tables_were_made_directly(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    upgrade(database_url)
    migrated = catalogue(engine)
    assert {table.name for table in metadata.tables.values()} <= {row[0] for row in migrated}
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            empty(connection)
            metadata.create_all(connection)
        assert catalogue(engine) == migrated
    else:
        direct = engine_for(f"sqlite:///{tmp_path / 'direct.db'}")
        with direct.begin() as connection:
            metadata.create_all(connection)
        assert catalogue(direct) == migrated


def test_a_fresh_database_has_no_revision_and_a_migrated_one_has_the_newest(database_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        assert current_revision(connection) is None
        with pytest.raises(SchemaMismatch, match="cronhook migrate"):
            check_schema(connection)
    upgrade(database_url)
    with engine.begin() as connection:
        assert current_revision(connection) == head_revision()
        assert check_schema(connection) is None


def test_processes_that_migrate_at_once_wait_for_each_other(database_url: str, engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(upgrade, database_url) for _ in range(4)]:
            done.result()
    with engine.begin() as connection:
        assert check_schema(connection) is None


def test_a_newer_schema_is_reported_and_left_alone(database_url: str, engine: Engine) -> None:
    upgrade(database_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    upgrade(database_url)
    with engine.begin() as connection:
        assert check_schema(connection) == "9999"


@pytest.mark.parametrize("made", ["CREATE TABLE jobs (x INTEGER)", "CREATE VIEW Jobs AS SELECT 1 AS x"])
def test_what_another_program_has_is_told_and_left_alone(database_url: str, engine: Engine, made: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(made))
        connection.execute(text("CREATE TABLE people (x INTEGER)"))
    before = catalogue(engine)
    with pytest.raises(ConfigurationError, match=r"needs the name for in this database \(jobs\)"):
        upgrade(database_url)
    assert catalogue(engine) == before


def test_tables_elsewhere_on_the_search_path_do_not_matter(postgres_url: str) -> None:
    engine = engine_for(postgres_url)
    with engine.begin() as connection:
        empty(connection)
        connection.execute(text("CREATE TABLE jobs (x INTEGER)"))
        connection.execute(text("DROP SCHEMA IF EXISTS cronhook CASCADE"))
        connection.execute(text("CREATE SCHEMA cronhook"))
    engine.dispose()
    assert upgrade(f"{postgres_url}?options=-c%20search_path%3Dcronhook,public") == head_revision()


def test_tables_with_other_names_do_not_matter(database_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (x INTEGER)"))
    assert upgrade(database_url) == head_revision()


def test_the_limits_of_a_session_do_not_end_a_migration_that_waits(postgres_url: str) -> None:
    """As a role has them behind a pooler that knows no settings of sessions."""
    engine = engine_for(postgres_url)
    with engine.begin() as connection:
        empty(connection)
    limits = "%20".join(f"-c%20{name}%3D100ms" for name in ("lock_timeout", "statement_timeout"))
    with ThreadPoolExecutor(1) as threads:
        with engine.begin() as holder:
            lock_schema(holder)
            waiting = threads.submit(upgrade, f"{postgres_url}?options={limits}")
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
        assert waiting.result(30) == head_revision()
    engine.dispose()
