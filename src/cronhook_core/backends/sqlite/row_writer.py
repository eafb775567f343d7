from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Insert, Table, Update, bindparam, delete, update
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from cronhook_core.backends.sql.rows import Values

_DIALECT = SQLiteDialect_pysqlite()


class RowWriter:
    """Executes one statement for many rows.

    The statement is compiled once, and its parameters are turned into what the driver takes right here: for statements
    as short as these, all that SQLAlchemy would do for every row costs more than the database does.
    """

    def __init__(self, statement: Insert | Update | Delete, columns: Sequence[str] | None) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=columns)
        names = compiled.positiontup or ()
        processors = [compiled.binds[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT) for name in names]
        self._text = str(compiled)
        self._values_of = itemgetter(*names)
        self._processors = [(index, process) for index, process in enumerate(processors) if process is not None]

    @classmethod
    def inserting(cls, statement: Insert) -> RowWriter:
        return cls(statement, statement.table.c.keys())

    @classmethod
    def updating(cls, table: Table, *, key: Sequence[str], columns: Sequence[str]) -> RowWriter:
        """Updates single rows; the values that find them are named ``of_…``."""
        return cls(update(table).where(*_own_row(table, key)), columns)

    @classmethod
    def deleting(cls, table: Table, *, key: Sequence[str]) -> RowWriter:
        """Deletes single rows; the values that find them, two at least, are named as for `updating`."""
        return cls(delete(table).where(*_own_row(table, key)), None)

    def write(self, connection: Connection, values: Sequence[Values]) -> int:
        """How many rows were written. Every row gives all the statement's columns."""
        if not values:
            return 0
        return connection.exec_driver_sql(self._text, [self._parameters(row) for row in values]).rowcount

    def _parameters(self, row: Values) -> tuple[Any, ...]:
        values = list(self._values_of(row))
        for index, process in self._processors:
            values[index] = process(values[index])
        return tuple(values)


def _own_row(table: Table, key: Sequence[str]) -> list[ColumnElement[bool]]:
    return [table.c[name] == bindparam(f"of_{name}", type_=table.c[name].type) for name in key]
