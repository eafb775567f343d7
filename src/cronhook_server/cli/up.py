"""``cronhook up``"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import rich_click as click
from rich.markup import escape

from cronhook_core.wire.instant import write_instant
from cronhook_server.all_in_one import WORKSPACE_NAME, Started, run_all_in_one
from cronhook_server.cli.failure import complain, stop_writing
from cronhook_server.cli.output import console
from cronhook_server.logs import configure_logging
from cronhook_server.process import run
from cronhook_server.setting_values import masked_url
from cronhook_server.settings import Settings

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
    run(run_all_in_one(settings, lambda started: _welcome_who_reads(settings, started)))


def _welcome_who_reads(settings: Settings, started: Started) -> None:
    """A server goes on where nobody does any more."""
    try:
        _welcome(settings, started)
    except BrokenPipeError:
        stop_writing()
        if started.first_key is not None:
            complain(f"nobody read the first API key; another one: cronhook keys create --workspace {WORKSPACE_NAME}")


def _welcome(settings: Settings, started: Started) -> None:
    out = console()
    out.print(f"[bold]cronhook {version('cronhook')}[/] on {escape(masked_url(settings.database_url))}")
    address = escape(started.address)
    out.print(f"  address    [bold]{address}[/]")
    out.print(f"  API docs   {address}/docs")
    if started.first_key is None:
        out.print(f"  API key    as before; another one: cronhook keys create --workspace {WORKSPACE_NAME}")
    else:
        out.print(f"  workspace  {WORKSPACE_NAME}")
        out.print(f"  API key    [bold green]{started.first_key}[/]  (shown this once)")
        out.print("\nStore a first job, with an address of your own that takes a POST:\n")
        out.print(escape(_curl_line(started.address, started.first_key, datetime.now(UTC))))
    if settings.allowed_targets:
        out.print(f"\nMay be called although not public: {escape(str(settings.allowed_targets))}")
    out.print("\nPress Ctrl-C to stop.")
    out.file.flush()


def _curl_line(address: str, key: str, now: datetime) -> str:
    """One line for a shell; it works for a minute after its instant has passed."""
    job = {
        "name": "hello",
        "run_at": write_instant((now + _EXAMPLE_AHEAD).replace(microsecond=0)),
        "callback_url": _EXAMPLE_URL,
        "payload": {"hello": "world"},
    }
    return f"curl {address}/v1/jobs -H 'x-api-key: {key}' -H 'content-type: application/json' -d '{json.dumps(job)}'"
