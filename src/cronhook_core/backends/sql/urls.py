"""The forms of a database's URL that users write; which driver serves them is ours to say."""

from __future__ import annotations

from urllib.parse import urlsplit

from cronhook_core.errors import ConfigurationError

_VARIABLE = "CRONHOOK_DATABASE_URL"
_SQLITE = "sqlite"
_POSTGRES = ("postgresql", "postgres")


def is_sqlite(database_url: str) -> bool:
    """True for ``sqlite:///path``, False for ``postgresql://…``; `ConfigurationError` for any other URL."""
    scheme = _scheme(database_url)
    if scheme != _SQLITE and scheme not in _POSTGRES:
        raise ConfigurationError(_VARIABLE, "write it as sqlite:///path or postgresql://user@host/database")
    return scheme == _SQLITE


def sqlite_path(path_or_url: str) -> str:
    """The file of ``sqlite:///relative`` or ``sqlite:////absolute``; a text that is no URL is a path already."""
    if "://" not in path_or_url:
        if path_or_url in ("", ":memory:"):
            raise ConfigurationError(_VARIABLE, "a SQLite database is kept in a file: give its path")
        return path_or_url
    if _scheme(path_or_url) != _SQLITE:
        raise ConfigurationError(_VARIABLE, "this is not the URL of a SQLite file: write it as sqlite:///path")
    host, _, path = path_or_url.partition("://")[2].partition("/")
    if host:
        raise ConfigurationError(_VARIABLE, "a SQLite URL has three slashes, four before an absolute path")
    if path in ("", ":memory:") or "?" in path:
        raise ConfigurationError(_VARIABLE, "a SQLite URL names a file, without options: sqlite:///path")
    return path


def postgres_url(database_url: str) -> str:
    """The URL as libpq reads it, with whatever it says of hosts, ``sslmode`` and the like left alone."""
    if _scheme(database_url) not in _POSTGRES:
        raise ConfigurationError(_VARIABLE, "this is not the URL of a Postgres database: write postgresql://…")
    return f"postgresql://{database_url.partition('://')[2]}"


def _scheme(url: str) -> str:
    """Without a driver behind it: ``postgresql+psycopg`` is the ``postgresql`` that other tools' users write."""
    return urlsplit(url).scheme.partition("+")[0]
