"""``cronhook keys``"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import Any

import rich_click as click

from cronhook_core.domain.api_key import ApiKey, Scope
from cronhook_core.domain.workspace import Workspace
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_core.wire.account import KeyMade, KeyRead
from cronhook_core.wire.converter import to_json
from cronhook_server.assembly import Assembly
from cronhook_server.cli.output import OutputFormat, output_option, print_json, print_rows
from cronhook_server.composition import open_backends, secret_key_of
from cronhook_server.key_service import KeyService
from cronhook_server.process import run
from cronhook_server.settings import Settings

_COLUMNS = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
_workspace_option = click.option(
    "--workspace", "-w", default="default", show_default=True, metavar="NAME", help="The workspace's name."
)


def _scopes(_: click.Context, __: click.Parameter, written: str) -> tuple[Scope, ...]:
    try:
        return tuple(Scope(word.strip()) for word in written.split(","))
    except ValueError:
        raise click.BadParameter(f"scopes are {', '.join(Scope)}, separated by commas") from None


@click.group("keys")
def command() -> None:
    """Make, list and revoke API keys, also beside a running server."""


@command.command("create")
@_workspace_option
@click.option("--name", default="key", show_default=True, help="What the key is for.")
@click.option("--scopes", default="read,write,admin", show_default=True, callback=_scopes, help="What it may do.")
@output_option(OutputFormat.TABLE, OutputFormat.JSON)
def create(workspace: str, name: str, scopes: tuple[Scope, ...], output: OutputFormat) -> None:
    """Make a key; the workspace too when it is missing. The key is shown this once."""
    found, key, text = run(_create(workspace, name, scopes))
    made = to_json(KeyMade.showing(key, text)) | {"workspace_id": found.id, "workspace": found.name}
    if output is OutputFormat.JSON:
        print_json(made)
    else:
        print_rows([made], ("id", "workspace", "name", "scopes", "key"), output)


@command.command("list")
@_workspace_option
@output_option()
def list_keys(workspace: str, output: OutputFormat) -> None:
    """List the keys of a workspace, newest first. The keys themselves are nowhere kept."""
    rows = [to_json(KeyRead.of(key)) for key in run(_list(workspace))]
    print_rows(
        rows, ("id", "name", "prefix", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"), output
    )


@command.command("revoke")
@click.argument("key_id")
@_workspace_option
def revoke(key_id: str, workspace: str) -> None:
    """Refuse a key from now on."""
    key = run(_revoke(workspace, key_id))
    click.echo(f"{key.id} ({key.name}) is revoked.")


async def _create(workspace: str, name: str, scopes: tuple[Scope, ...]) -> tuple[Workspace, ApiKey, str]:
    async with _key_service() as keys:
        found = await keys.workspace(workspace)
        key, text = await keys.create(found.id, name=name, scopes=scopes)
        return found, key, text


async def _list(workspace: str) -> Any:
    async with _key_service() as keys:
        return await keys.list((await keys.find_workspace(workspace)).id)


async def _revoke(workspace: str, key_id: str) -> ApiKey:
    async with _key_service() as keys:
        return await keys.revoke((await keys.find_workspace(workspace)).id, key_id)


@asynccontextmanager
async def _key_service() -> AsyncIterator[KeyService]:
    settings, random = Settings.read(os.environ), SystemRandom()
    secret_key = secret_key_of(settings)
    async with open_backends(settings, random, secret_key=secret_key) as backends:
        yield Assembly(backends, settings, secret_key=secret_key, hooks=NoHooks(), random=random).keys()
