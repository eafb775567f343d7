"""A fresh, migrated Postgres database for every test, cloned from a template in a few milliseconds."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


class Databases:
    """Makes and drops databases on the server at `server_url`; several test runs may share that server."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._prefix = f"cronhook_test_{os.getpid()}"
        self._numbers = itertools.count(1)
        self._template: str | None = None

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a database with all tables, gone afterwards, whoever is still connected to it."""
        template = self._template or self._make_template()
        name = f"{self._prefix}_{next(self._numbers)}"
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        try:
            yield self._url_of(name)
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def close(self) -> None:
        if self._template is not None:
            self._run("DROP DATABASE {} WITH (FORCE)", self._template)
            self._template = None

    def _make_template(self) -> str:
        name = f"{self._prefix}_template"
        self._run("CREATE DATABASE {}", name)
        self._template = name
        from cronhook_core.backends.sql.migrations import upgrade  # here, or every unit test would load SQLAlchemy

        upgrade(self._url_of(name))
        return name

    def _url_of(self, database: str) -> str:
        return urlsplit(self._server_url)._replace(path=f"/{database}").geturl()

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
