"""``cronhook executions``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import rich_click as click

from cronhook_core.errors import CronhookError
from cronhook_core.wire.converter import to_json
from cronhook_server.cli.api_client import with_client
from cronhook_server.cli.arguments import id_argument
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.listing import how_many, page_size, print_list
from cronhook_server.cli.ordered_group import HELP_NAMES, OrderedGroup
from cronhook_server.cli.output import OutputFormat, note, output_option, print_one, print_table, print_text
from cronhook_server.cli.showing import EXECUTIONS, LOGS, execution_row, log_row, present
from cronhook_server.cli.waiting import wait_for_end, wait_for_option, wait_option

if TYPE_CHECKING:
    from cronhook_client import Cronhook
    from cronhook_client.models import ExecutionRead

_STATUSES = ["queued", "running", "succeeded", "failed", "cancelled", "skipped"]


@click.group("executions", cls=OrderedGroup, context_settings=HELP_NAMES)
def command() -> None:
    """Look at occurrences of jobs; cancel and replay them.

    An execution is one occurrence of a job: one scheduled instant, one manual run or one replay.

    \b
    Examples:
      cronhook executions list JOB_ID --status failed
      cronhook executions replay EXECUTION_ID --wait
    """


@command.command("list")
@id_argument("job_id")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those.")
@how_many
@output_option()
@with_client
def list_executions(
    client: Cronhook, job_id: str, status: Any, limit: int, everything: bool, output: OutputFormat
) -> None:
    """List the executions of a job, the newest first.

    \b
    Example:
      cronhook executions list JOB_ID --status failed -o jsonl | jq -r .id |
          xargs -n1 cronhook executions replay
    """
    pages = client.executions.list(job_id, status=status, limit=page_size(limit, everything))
    print_list(pages, EXECUTIONS, execution_row, output, limit=limit, everything=everything)


@command.command("show")
@id_argument("execution_id")
@output_option()
@with_client
def show(client: Cronhook, execution_id: str, output: OutputFormat) -> None:
    """Show an execution with its attempts.

    \b
    Example:
      cronhook executions show EXECUTION_ID
    """
    print_execution(to_json(client.executions.get(execution_id)), output)


@command.command("cancel")
@id_argument("execution_id")
@output_option()
@with_client
def cancel(client: Cronhook, execution_id: str, output: OutputFormat) -> None:
    """Cancel what is still queued, retries included.

    \b
    Example:
      cronhook executions cancel EXECUTION_ID
    """
    print_execution(to_json(client.executions.cancel(execution_id)), output)


@command.command("replay")
@id_argument("execution_id")
@wait_option
@wait_for_option
@output_option()
@with_client
def replay(client: Cronhook, execution_id: str, wait: bool, wait_for: float | None, output: OutputFormat) -> None:
    """Do an ended execution once more, as its job stands today.

    \b
    Example:
      cronhook executions replay EXECUTION_ID --wait
    """
    print_ended(client, client.executions.replay(execution_id), output, wait=wait, at_most=wait_for)


def print_ended(
    client: Cronhook, execution: ExecutionRead, output: OutputFormat, *, wait: bool, at_most: float | None
) -> None:
    """Print the execution, at its end where one is to wait for that; then the exit code says how it ended."""
    if not wait and at_most is None:
        print_execution(to_json(execution), output)
        return
    try:
        ended = wait_for_end(client, execution.id, at_most)
    except CronhookError:
        note(f"{execution.id} was queued, and goes on by itself")
        raise
    print_execution(to_json(ended), output)
    if ended.status != "succeeded":
        sys.exit(ExitCode.FAILED)


def print_execution(execution: dict[str, Any], output: OutputFormat) -> None:
    print_one(execution, output, fields=[name for name in execution if name != "logs"])
    logs = execution.get("logs")
    if logs and output is OutputFormat.TABLE:
        print_text("")
        columns = [column for column in LOGS if column.key != "execution_id"]
        print_table([log_row(row, present()) for row in logs], columns)
