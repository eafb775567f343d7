"""``cronhook keys``"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from cronhook_core.domain.api_key import Scope
from cronhook_core.wire.account import KeyMade, KeyRead
from cronhook_core.wire.converter import to_json
from cronhook_server.cli.api_client import client_options, open_client
from cronhook_server.cli.arguments import DURATION, INSTANT, id_argument, was_given
from cronhook_server.cli.failure import complain
from cronhook_server.cli.ordered_group import HELP_NAMES, OrderedGroup
from cronhook_server.cli.output import OutputFormat, output_option, print_json, print_one, print_rows
from cronhook_server.cli.showing import KEYS, key_row, present

if TYPE_CHECKING:
    from cronhook_server.key_service import KeyService

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULT_WORKSPACE = "default"
_SHOWN = ("id", "workspace", "name", "scopes", "expires_at", "key")
"""Of a new key, where there is such a thing."""


def _place_options(function: F) -> F:
    """Where the keys are: ``--workspace`` for the database, the client's options for the API."""
    workspace = click.option("--workspace", "-w", metavar="NAME", help="In the database, in this workspace.")
    return workspace(client_options(function))


def _scopes(_: click.Context, __: click.Parameter, written: str) -> tuple[Scope, ...]:
    try:
        return tuple(Scope(word.strip()) for word in written.split(","))
    except ValueError:
        raise click.BadParameter(f"scopes are {', '.join(Scope)}, separated by commas") from None


@click.group("keys", cls=OrderedGroup, context_settings=HELP_NAMES)
def command() -> None:
    """Make, list, rotate and revoke API keys.

    With --workspace it is done straight in the database that CRONHOOK_DATABASE_URL names, also beside a running server:
    so the first key is made. Otherwise through the API, with a key of scope admin, in that key's workspace; and where
    there is no such key either, in the database's workspace "default".

    \b
    Examples:
      cronhook keys create --workspace default --name deploy --scopes read,write
      cronhook keys rotate KEY_ID --grace 1h
    """


@command.command("create")
@click.option("--name", default="key", show_default=True, help="What the key is for.")
@click.option("--scopes", default="read,write,admin", show_default=True, callback=_scopes, help="What it may do.")
@click.option("--expires-at", type=INSTANT, help="When it ends by itself; else it does not.")
@_place_options
@output_option()
def create(
    name: str,
    scopes: tuple[Scope, ...],
    expires_at: datetime | None,
    workspace: str | None,
    base_url: str | None,
    api_key: str | None,
    output: OutputFormat,
) -> None:
    """Make a key; in the database the workspace too where it is missing. The key is shown this once.

    \b
    Examples:
      cronhook keys create --workspace default
      export CRONHOOK_API_KEY=$(cronhook keys create -w app -o json | jq -r .key)
    """
    if _through_api(workspace, api_key):
        with open_client(base_url, api_key) as client:
            made = client.keys.create(name=name, scopes=scopes, expires_at=expires_at)
        _print_made(to_json(made), output)
        return

    async def make() -> dict[str, Any]:
        async with _key_service(may_make_database=True) as keys:
            found = await keys.workspace(workspace or _DEFAULT_WORKSPACE)
            key, text = await keys.create(found.id, name=name, scopes=scopes, expires_at=expires_at)
            return _made(key, text) | {"workspace_id": found.id, "workspace": found.name}

    _print_made(_run(make()), output)


@command.command("list")
@_place_options
@output_option()
def list_keys(workspace: str | None, base_url: str | None, api_key: str | None, output: OutputFormat) -> None:
    """List keys, the newest first. The keys themselves are nowhere kept.

    \b
    Example:
      cronhook keys list --workspace default
    """
    if _through_api(workspace, api_key):
        with open_client(base_url, api_key) as client:
            keys = [to_json(key) for key in client.keys.list().data]
    else:
        keys = _run(_listed(workspace or _DEFAULT_WORKSPACE))
    now = present()
    print_rows([key_row(key, now) for key in keys] if output is OutputFormat.TABLE else keys, KEYS, output)


@command.command("revoke")
@id_argument("key_id")
@_place_options
@output_option()
def revoke(key_id: str, workspace: str | None, base_url: str | None, api_key: str | None, output: OutputFormat) -> None:
    """Refuse a key from now on.

    \b
    Example:
      cronhook keys revoke KEY_ID --workspace default
    """
    if _through_api(workspace, api_key):
        with open_client(base_url, api_key) as client:
            client.keys.revoke(key_id)
    else:
        _run(_revoked(workspace or _DEFAULT_WORKSPACE, key_id))
    print_one({"id": key_id, "revoked": True}, output)


@command.command("rotate")
@id_argument("key_id")
@click.option("--grace", type=DURATION, default="0", help="How long the old key stays valid, such as 1h; else it ends.")
@_place_options
@output_option()
def rotate(
    key_id: str,
    grace: float,
    workspace: str | None,
    base_url: str | None,
    api_key: str | None,
    output: OutputFormat,
) -> None:
    """Make a key of the same name, scopes and end in the place of another one. It is shown this once.

    \b
    Example:
      cronhook keys rotate KEY_ID --grace 1h
    """
    if _through_api(workspace, api_key):
        with open_client(base_url, api_key) as client:
            made = client.keys.rotate(key_id, grace_seconds=grace)
        _print_made(to_json(made), output)
    else:
        _print_made(_run(_rotated(workspace or _DEFAULT_WORKSPACE, key_id, grace)), output)


def _through_api(workspace: str | None, api_key: str | None) -> bool:
    """Who names a server, on the command line, means no database."""
    if not was_given("base_url"):
        return workspace is None and bool(api_key)
    if workspace is not None:
        reason = "--workspace is for the database; at a server, the key says which workspace"
        raise click.UsageError(reason, ctx=click.get_current_context())
    return True


async def _listed(workspace: str) -> list[dict[str, Any]]:
    async with _key_service() as keys:
        found = await keys.find_workspace(workspace)
        return [to_json(KeyRead.of(key)) for key in await keys.list(found.id)]


async def _revoked(workspace: str, key_id: str) -> None:
    async with _key_service() as keys:
        await keys.revoke((await keys.find_workspace(workspace)).id, key_id)


async def _rotated(workspace: str, key_id: str, grace: float) -> dict[str, Any]:
    from cronhook_core.errors import InvalidRequest
    from cronhook_server.grace import grace_of

    try:
        stays = grace_of(grace)
    except InvalidRequest as error:
        raise click.BadParameter(f"{error} seconds", param_hint="--grace") from None
    async with _key_service() as keys:
        found = await keys.find_workspace(workspace)
        key, text = await keys.rotate(found.id, key_id, grace=stays)
        return _made(key, text) | {"workspace_id": found.id, "workspace": found.name}


def _made(key: Any, text: str) -> dict[str, Any]:
    made: dict[str, Any] = to_json(KeyMade.showing(key, text))
    return made


def _print_made(made: Mapping[str, Any], output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        print_json(made)
    else:
        print_one(made, output, fields=[name for name in _SHOWN if made.get(name) is not None])


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    from cronhook_server.process import run

    return run(work)


@asynccontextmanager
async def _key_service(*, may_make_database: bool = False) -> AsyncIterator[KeyService]:
    from cronhook_core.ports.engine_hooks import NoHooks
    from cronhook_server.assembly import Assembly
    from cronhook_server.composition import open_backends, secret_key_of
    from cronhook_server.examination import existing_sqlite_file, sqlite_file
    from cronhook_server.settings import Settings

    settings, random = Settings.read(os.environ), SystemRandom()
    file = sqlite_file(settings)
    if not may_make_database:
        existing_sqlite_file(settings)
    elif file is not None and not file.exists():
        complain(f"there is no database {file.absolute()} yet: it is made")
    secret_key = secret_key_of(settings)
    async with open_backends(settings, random, secret_key=secret_key) as backends:
        yield Assembly(backends, settings, secret_key=secret_key, hooks=NoHooks(), random=random).keys()
