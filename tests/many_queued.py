"""As many queued executions of one job as may be, stored past the API."""

from sqlalchemy import Connection, text

from cronhook_core.backends.sql.tables import executions, open_executions
from cronhook_core.domain.queue_bounds import QueueBounds

MANY = QueueBounds().per_job or 0
"""Executions that users may queue of one job, by default."""


def queue_many(connection: Connection, execution_id: str, count: int = MANY) -> None:
    """Copy a queued execution until there are ``count`` of it."""
    for table, key in ((executions, executions.c.id), (open_executions, open_executions.c.execution_id)):
        values = [f"{column.name} || CAST(n AS text)" if column is key else column.name for column in table.c]
        connection.execute(
            text(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :copies)"
                f" INSERT INTO {table.name} ({', '.join(table.c.keys())}) SELECT {', '.join(values)}"
                f" FROM {table.name} CROSS JOIN numbers WHERE {key.name} = :id"
            ),
            {"copies": count - 1, "id": execution_id},
        )
