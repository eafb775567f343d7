"""The forms of a database's URL."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from cronhook_core.backends.postgres.connecting import Connector
from cronhook_core.backends.sql.engines import engine_for, sqlite_engine
from cronhook_core.backends.sql.urls import is_sqlite, postgres_url, sqlite_path
from cronhook_core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///cronhook.db", "cronhook.db"),
        ("sqlite:///data/cronhook.db", "data/cronhook.db"),
        ("sqlite:////var/lib/cronhook.db", "/var/lib/cronhook.db"),
        ("sqlite+pysqlite:///cronhook.db", "cronhook.db"),
        ("cronhook.db", "cronhook.db"),
        ("/var/lib/cron hook.db", "/var/lib/cron hook.db"),
        ("what?.db", "what?.db"),
    ],
)
def test_a_sqlite_file(url: str, path: str) -> None:
    assert sqlite_path(url) == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        ":memory:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://cronhook.db",
        "sqlite://host/cronhook.db",
        "sqlite:///cronhook.db?mode=ro",
        "postgresql://localhost/cronhook",
        "mysql://localhost/cronhook",
    ],
)
def test_what_is_no_sqlite_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CRONHOOK_DATABASE_URL"):
        sqlite_path(url)


@pytest.mark.parametrize(
    ("url", "for_libpq"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql://u:p@h:5432/d"),
        ("postgres://u@h/d", "postgresql://u@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql://u@h/d"),
        ("postgresql://h1:5432,h2:5433/d?target_session_attrs=read-write", None),
        ("postgresql:///d?host=/run/postgresql&sslmode=require", None),
        ("postgresql://u:p%40ss@h/d?options=-c%20search_path%3Dcron", None),
    ],
)
def test_a_postgres_database(url: str, for_libpq: str | None) -> None:
    assert postgres_url(url) == (for_libpq or url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/d?sslmode=bogus",
        "postgresql://h:port/d",
        "postgresql://h:70000/d",
        "postgresql://h/d?connect_timeout=soon",
        "postgresql://h/d?tcp_user_timeout=x",
        "postgresql://h/d?target_session_attrs=best",
        "postgresql://h/d?no_such_option=1",
    ],
)
def test_what_libpq_would_refuse_at_every_try_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CRONHOOK_DATABASE_URL"):
        engine_for(url)
    with pytest.raises(ConfigurationError, match="CRONHOOK_DATABASE_URL"):
        Connector.to(url, through_pooler=False)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h1:5432,h2:5433/d?target_session_attrs=read-write",
        "postgresql://h1,h2:5433/d?sslmode=verify-full&connect_timeout=3",
        "postgresql:///d?host=/run/postgresql&connect_timeout=",
        "postgresql://h/d?connect_timeout=2147483647",
    ],
)
def test_what_libpq_takes_is_taken(url: str) -> None:
    engine_for(url).dispose()
    Connector.to(url, through_pooler=True)


def test_a_file_is_found_again_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine = sqlite_engine("jobs.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    engine.dispose()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite:///cronhook.db", "mysql://h/d", "h/d", ""])
def test_what_is_no_postgres_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CRONHOOK_DATABASE_URL"):
        postgres_url(url)


def test_which_database_is_meant() -> None:
    assert is_sqlite("sqlite:///cronhook.db")
    assert not is_sqlite("postgresql://h/d")
    assert not is_sqlite("postgres://h/d")


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "cronhook.db", "", "postgresql"])
def test_any_other_database_is_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        is_sqlite(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("password", ["s3cr%zzt", "s3cr et"])
def test_a_url_that_libpq_cannot_read_is_not_repeated(password: str) -> None:
    with pytest.raises(ConfigurationError, match="libpq cannot read this URL") as refused:
        engine_for(f"postgresql://me:{password}@127.0.0.1:1/jobs")
    assert "s3cr" not in f"{refused.value}{refused.value.__cause__}"


def test_errors_of_the_database_repeat_no_parameters(tmp_path: Path) -> None:
    """They are logged with their traceback; parameters are callback URLs, headers and payloads."""
    engine = sqlite_engine(str(tmp_path / "jobs.db"))
    with pytest.raises(SQLAlchemyError) as failed, engine.begin() as connection:
        connection.execute(text("INSERT INTO missing VALUES (:value)"), {"value": "canary"})
    assert "canary" not in str(failed.value)
