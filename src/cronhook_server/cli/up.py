"""``cronhook up``"""

from __future__ import annotations

import json
import os
import shlex
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.markup import escape

from cronhook_core.wire.instant import write_instant
from cronhook_server.all_in_one import WORKSPACE_NAME, Started, run_all_in_one
from cronhook_server.cli.failure import complain, stop_writing
from cronhook_server.cli.output import console
from cronhook_server.composition import sqlite_file_of
from cronhook_server.logs import configure_logging
from cronhook_server.process import run
from cronhook_server.secret_key import write_first_key
from cronhook_server.setting_values import masked_url
from cronhook_server.settings import Settings, Switch

_EXAMPLE_AHEAD = timedelta(seconds=10)
_EXAMPLE_URL = "https://example.com/webhook"


@click.command("up")
def command() -> None:
    """Run API, scheduler and worker in one process.

    Without settings everything is kept in cronhook.db in this folder, with its secret key beside it.

    \b
    Examples:
      cronhook up
      CRONHOOK_PORT=9000 CRONHOOK_ALLOWED_TARGETS=127.0.0.1/32 cronhook up
    """
    settings = Settings.read(os.environ)
    configure_logging(settings.log_format)
    # Anything else than a terminal is kept somewhere, such as a container's log, and no key may be kept there.
    key_file_beside = None if sys.stdout.isatty() else sqlite_file_of(settings)
    make_first_key = sys.stdout.isatty() or key_file_beside is not None

    def welcome(started: Started) -> None:
        _welcome_who_reads(settings, started, key_file_beside)

    run(run_all_in_one(settings, welcome, make_first_key=make_first_key))


def _welcome_who_reads(settings: Settings, started: Started, key_file_beside: Path | None) -> None:
    """Welcome whoever reads the output; the server goes on if nobody does.

    The first key is shown, or written to a file beside ``key_file_beside``, the database, where that is given.
    """
    try:
        _welcome(settings, started, key_file_beside)
    except BrokenPipeError:
        stop_writing()
        if started.first_key is not None:
            complain(f"nobody read the first API key; another one: cronhook keys create --workspace {WORKSPACE_NAME}")


def _welcome(settings: Settings, started: Started, key_file_beside: Path | None = None) -> None:
    out = console()
    out.print(f"[bold]cronhook {version('cronhook')}[/] on {escape(masked_url(settings.database_url))}")
    address = escape(started.address)
    out.print(f"  address    [bold]{address}[/]")
    if settings.docs is Switch.ON:
        out.print(f"  API docs   {address}/docs")
    if started.first_key is None:
        out.print(f"  API key    as before, or a new one: cronhook keys create --workspace {WORKSPACE_NAME}")
    else:
        _hand_over(out, started.address, started.first_key, key_file_beside)
    if settings.allowed_targets:
        out.print(f"\nMay be called although not public: {escape(str(settings.allowed_targets))}")
    out.print("\nPress Ctrl-C to stop.")
    out.file.flush()


def _hand_over(out: Console, address: str, key: str, key_file_beside: Path | None) -> None:
    out.print(f"  workspace  {WORKSPACE_NAME}")
    if key_file_beside is None:
        out.print(f"  API key    [bold green]{key}[/]  (shown this once)")
        shown_key = key
    else:
        try:
            path = write_first_key(key_file_beside, key)
        except OSError as error:
            complain(f"the first API key could not be written beside {key_file_beside}: {error.strerror}")
            out.print(f"  API key    not kept; make another: cronhook keys create --workspace {WORKSPACE_NAME}")
            return
        out.print(f"  API key    in {escape(str(path))}  (remove it when you have stored the key)", soft_wrap=True)
        shown_key = f"$(cat {shlex.quote(str(path))})"
    out.print("\nStore a first job, with an address of your own that takes a POST:\n")
    out.print(escape(_curl_line(address, shown_key, datetime.now(UTC))))


def _curl_line(address: str, key: str, now: datetime) -> str:
    """One line for a shell, with the key or a command substitution for it; works until a minute after its instant."""
    job = {
        "name": "hello",
        "run_at": write_instant((now + _EXAMPLE_AHEAD).replace(microsecond=0)),
        "callback_url": _EXAMPLE_URL,
        "payload": {"hello": "world"},
    }
    headers = f"""-H "x-api-key: {key}" -H 'content-type: application/json'"""
    return f"curl {address}/v1/jobs {headers} -d '{json.dumps(job)}'"
