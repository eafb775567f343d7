"""``cronhook jobs``"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import rich_click as click

from cronhook_core.wire.converter import to_json
from cronhook_server.cli.api_client import with_client
from cronhook_server.cli.arguments import INSTANT, Written, id_argument, read_idempotency_key
from cronhook_server.cli.executions import print_ended
from cronhook_server.cli.job_fields import CLEARED, cleared, fields_of, job_options
from cronhook_server.cli.listing import how_many, page_size, print_list
from cronhook_server.cli.logs import command as logs_command
from cronhook_server.cli.ordered_group import HELP_NAMES, OrderedGroup
from cronhook_server.cli.output import OutputFormat, output_option, print_one
from cronhook_server.cli.preview import print_preview
from cronhook_server.cli.showing import JOBS, job_row
from cronhook_server.cli.waiting import wait_for_option, wait_option

if TYPE_CHECKING:
    from cronhook_client import Cronhook
    from cronhook_client.words import IncludeWord

_idempotency_option = click.option(
    "--idempotency-key",
    metavar="TEXT",
    type=Written("text", read_idempotency_key),
    help="The same key within 24 h does it once, however often it is asked for.",
)


@click.group("jobs", cls=OrderedGroup, context_settings=HELP_NAMES)
def command() -> None:
    """Create, list, change, pause, run and delete jobs.

    \b
    Examples:
      cronhook jobs create --name report --cron @daily --url https://app.example/
      cronhook jobs list --status active
      cronhook jobs run JOB_ID --wait
    """


@command.command("create")
@job_options(required=True)
@_idempotency_option
@output_option()
@with_client
def create(client: Cronhook, /, output: OutputFormat, idempotency_key: str | None, **options: Any) -> None:
    """Store a job; exactly one of --cron, --run-at and --in says when it runs.

    \b
    Examples:
      cronhook jobs create --name report --url https://app.example/report \\
          --cron '30 2 * * 1-5' --timezone Europe/Berlin
      cronhook jobs create --name reminder --url https://app.example/remind \\
          --in 10m --payload '{"user": 7}' --retry-delays 10s,1m
      jq .users data.json | cronhook jobs create --name sync \\
          --url https://app.example/sync --cron @hourly --payload -
    """
    fields = fields_of(**options)
    if ("cron" in fields) == ("run_at" in fields):
        raise click.UsageError("say when: either --cron, or --run-at or --in", ctx=click.get_current_context())
    if idempotency_key is not None and options["run_in"] is not None:
        raise click.UsageError(
            "--in means another instant each time, so no repeat is the same; with --idempotency-key, give --run-at",
            ctx=click.get_current_context(),
        )
    print_job(to_json(client.jobs.create(**fields, idempotency_key=idempotency_key)), output)


@command.command("list")
@click.option("--status", type=click.Choice(["active", "paused", "inactive"]), help="Only those.")
@click.option("--tag", metavar="TAG", help="Only those with this tag.")
@click.option("--search", "-s", metavar="TEXT", help="Only those with this text in their name.")
@how_many
@output_option()
@with_client
def list_jobs(
    client: Cronhook,
    status: Any,
    tag: str | None,
    search: str | None,
    limit: int,
    everything: bool,
    output: OutputFormat,
) -> None:
    """List jobs, the newest first.

    \b
    Examples:
      cronhook jobs list --status paused
      cronhook jobs list --all -o jsonl | jq 'select(.status == "paused")'
    """
    include: IncludeWord | None = None if output is OutputFormat.TABLE else "payload"
    pages = client.jobs.list(status=status, tag=tag, q=search, include=include, limit=page_size(limit, everything))
    print_list(pages, JOBS, job_row, output, limit=limit, everything=everything)


@command.command("show")
@id_argument("job_id")
@output_option()
@with_client
def show(client: Cronhook, job_id: str, output: OutputFormat) -> None:
    """Show a job.

    \b
    Example:
      cronhook jobs show JOB_ID -o json | jq .payload
    """
    print_job(to_json(client.jobs.get(job_id)), output)


@command.command("update")
@id_argument("job_id")
@job_options(required=False)
@click.option("--clear", multiple=True, type=click.Choice(list(CLEARED)), help="Take this away; may be given again.")
@output_option()
@with_client
def update(client: Cronhook, /, job_id: str, clear: tuple[str, ...], output: OutputFormat, **options: Any) -> None:
    """Change what is given and keep the rest.

    Headers, tags and metadata are replaced whole. A new schedule makes an inactive job active again.

    \b
    Examples:
      cronhook jobs update JOB_ID --cron '0 3 * * *' -z Europe/Berlin
      cronhook jobs update JOB_ID --header 'x-token: NEW' --clear tags
    """
    given = fields_of(**options)
    taken = cleared(clear)
    if both := sorted(given.keys() & taken.keys()):
        raise click.UsageError(f"{both[0]} is both given and cleared", ctx=click.get_current_context())
    if not given and not taken:
        raise click.UsageError("there is nothing to change: give an option", ctx=click.get_current_context())
    print_job(to_json(client.jobs.update(job_id, **given, **taken)), output)


@command.command("pause")
@id_argument("job_id")
@_idempotency_option
@output_option()
@with_client
def pause(client: Cronhook, job_id: str, idempotency_key: str | None, output: OutputFormat) -> None:
    """Stop a job until it is resumed; what its schedule has queued is cancelled.

    \b
    Example:
      cronhook jobs list --tag nightly -o jsonl | jq -r .id |
          xargs -n1 cronhook jobs pause
    """
    print_job(to_json(client.jobs.pause(job_id, idempotency_key=idempotency_key)), output)


@command.command("resume")
@id_argument("job_id")
@_idempotency_option
@output_option()
@with_client
def resume(client: Cronhook, job_id: str, idempotency_key: str | None, output: OutputFormat) -> None:
    """Go on from now; what would have run meanwhile is not made up for.

    \b
    Example:
      cronhook jobs resume JOB_ID
    """
    print_job(to_json(client.jobs.resume(job_id, idempotency_key=idempotency_key)), output)


@command.command("run")
@id_argument("job_id")
@wait_option
@wait_for_option
@_idempotency_option
@output_option()
@with_client
def run(
    client: Cronhook,
    job_id: str,
    wait: bool,
    wait_for: float | None,
    idempotency_key: str | None,
    output: OutputFormat,
) -> None:
    """Call a job now, once, beside its schedule, also while it is paused.

    \b
    Examples:
      cronhook jobs run JOB_ID
      cronhook jobs run JOB_ID --wait && echo delivered
    """
    execution = client.jobs.run(job_id, idempotency_key=idempotency_key)
    print_ended(client, execution, output, wait=wait, at_most=wait_for)


@command.command("delete")
@id_argument("job_id")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@output_option()
@with_client
def delete(client: Cronhook, job_id: str, yes: bool, output: OutputFormat) -> None:
    """Delete a job: it never runs again, and what it has queued is cancelled. A terminal is asked first.

    \b
    Example:
      cronhook jobs delete JOB_ID --yes
    """
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        name = client.jobs.get(job_id).name
        click.confirm(f"Delete {job_id} ({name!r}) for good?", abort=True, err=True)
    client.jobs.delete(job_id)
    print_one({"id": job_id, "deleted": True}, output)


@command.command("preview")
@click.argument("cron", required=False)
@click.option("--timezone", "-z", metavar="ZONE", help="Whose clock CRON means; else UTC.")
@click.option("--run-at", type=INSTANT, help="Instead of CRON: whether a job may have this instant.")
@click.option("--after", type=INSTANT, help="The instants after this one; else from now on.")
@click.option("--count", "-n", type=click.IntRange(1, 100), default=10, show_default=True, help="How many.")
@output_option()
@with_client
def preview(
    client: Cronhook,
    cron: str | None,
    timezone: str | None,
    run_at: datetime | None,
    after: datetime | None,
    count: int,
    output: OutputFormat,
) -> None:
    """Ask the server when a schedule would run. Without a server, `cronhook preview` says the same.

    \b
    Example:
      cronhook jobs preview '30 2 * * *' -z Europe/Berlin -n 3
    """
    found = client.schedules.preview(cron=cron, timezone=timezone, run_at=run_at, after=after, count=count)
    print_preview(to_json(found), output)


def print_job(job: Mapping[str, Any], output: OutputFormat) -> None:
    if output is OutputFormat.TABLE:
        job = {**job, "payload": json.dumps(job["payload"], ensure_ascii=False)}
    print_one(job, output)


command.add_command(logs_command, "logs")
