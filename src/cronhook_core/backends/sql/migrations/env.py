"""Runs migrations on the connection that the caller opened; Alembic loads this file by its name."""

from __future__ import annotations

from alembic import context

from cronhook_core.backends.sql.migrations import VERSION_TABLE
from cronhook_core.backends.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
