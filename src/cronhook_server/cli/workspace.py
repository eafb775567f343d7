"""``cronhook workspace``"""

from __future__ import annotations

import os
from random import SystemRandom
from typing import TYPE_CHECKING, Any

import rich_click as click

from cronhook_core.wire.converter import to_json
from cronhook_server.cli.api_client import with_client
from cronhook_server.cli.arguments import DURATION
from cronhook_server.cli.ordered_group import HELP_NAMES, OrderedGroup
from cronhook_server.cli.output import OutputFormat, output_option, print_one

if TYPE_CHECKING:
    from cronhook_client import Cronhook


@click.group("workspace", cls=OrderedGroup, context_settings=HELP_NAMES)
def command() -> None:
    """Show the workspace of the API key, its limits and its signing secret.

    \b
    Examples:
      cronhook workspace show
      cronhook workspace limit NAME --max-jobs 500
      cronhook workspace rotate-secret --grace 2h
    """


@command.command("show")
@output_option()
@with_client
def show(client: Cronhook, output: OutputFormat) -> None:
    """Show its name, and its limits beside what is used of them.

    \b
    Example:
      cronhook workspace show -o json | jq .usage.jobs
    """
    print_one(to_json(client.workspace.get()), output)


@command.command("secret")
@output_option()
@with_client
def secret(client: Cronhook, output: OutputFormat) -> None:
    """Show the secret that signs webhooks, for their receivers. Needs a key with the scope admin.

    \b
    Example:
      cronhook workspace secret -o json | jq -r .secret
    """
    print_one(to_json(client.workspace.signing_secret()), output)


@command.command("rotate-secret")
@click.option("--grace", type=DURATION, help="How long the old one signs as well, such as 2h; else a day.")
@output_option()
@with_client
def rotate_secret(client: Cronhook, grace: float | None, output: OutputFormat) -> None:
    """Sign with a new secret from now on, and with the old one as well for a while. Needs the scope admin.

    \b
    Example:
      cronhook workspace rotate-secret --grace 2h
    """
    print_one(to_json(client.workspace.rotate_signing_secret(grace_seconds=grace)), output)


@command.command("limit")
@click.argument("name")
@click.option("--max-jobs", type=click.IntRange(0, 10**9), help="How many jobs it may have; those beyond it stay.")
@click.option("--default", is_flag=True, help="What CRONHOOK_MAX_JOBS_PER_WORKSPACE says, as for any other.")
@output_option()
def limit(name: str, max_jobs: int | None, default: bool, output: OutputFormat) -> None:
    """Give a workspace a limit of its own, straight in the database that CRONHOOK_DATABASE_URL names.

    It holds at once, also for running servers.

    \b
    Examples:
      cronhook workspace limit default --max-jobs 500
      cronhook workspace limit default --default
    """
    if default == (max_jobs is not None):
        raise click.UsageError("give either --max-jobs or --default")
    from cronhook_server.process import run

    print_one(run(_limited(name, max_jobs)), output)


async def _limited(name: str, max_jobs: int | None) -> dict[str, Any]:
    from cronhook_core.errors import NotFound
    from cronhook_core.wire.account import Usage, WorkspaceRead
    from cronhook_server.composition import open_backends, secret_key_of
    from cronhook_server.examination import existing_sqlite_file
    from cronhook_server.settings import Settings

    settings = Settings.read(os.environ)
    existing_sqlite_file(settings)
    async with open_backends(settings, SystemRandom(), secret_key=secret_key_of(settings)) as backends:
        found = await backends.accounts.find_workspace(name)
        limited = found and await backends.accounts.set_max_jobs(found.id, max_jobs)
        if limited is None:
            raise NotFound("workspace", name[:64])
        usage = Usage(
            jobs=await backends.store.count_jobs(limited.id),
            queued_executions=await backends.store.count_queued(limited.id),
            stored_bytes=await backends.store.stored_bytes(limited.id),
        )
    shown: dict[str, Any] = to_json(WorkspaceRead.of(limited, limits=settings.limits, usage=usage))
    return shown
