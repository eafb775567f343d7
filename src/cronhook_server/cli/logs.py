"""``cronhook logs``"""

from __future__ import annotations

import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import rich_click as click

from cronhook_core.wire.converter import to_json
from cronhook_server.cli.api_client import with_client
from cronhook_server.cli.arguments import id_argument, was_given
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.listing import how_many, page_size, print_list
from cronhook_server.cli.output import OutputFormat, note, output_option, print_line, print_text
from cronhook_server.cli.showing import LOGS, log_row
from cronhook_server.cli.table import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cronhook_client import Cronhook
    from cronhook_client.models import LogPage, LogRow

_STATUSES = ["running", "succeeded", "failed", "lost", "interrupted", "late_succeeded", "late_failed"]
_ASK_EVERY = 2.0
_LOOKED_BACK = 200
_MAX_OFFSET = 10_000
"""The API passes over no more rows of a log than these."""


@click.command("logs")
@id_argument("job_id")
@click.option("--status", type=click.Choice(_STATUSES), help="Only attempts that ended so.")
@click.option("--oldest-first", is_flag=True, help="Else the newest comes first.")
@click.option(
    "--offset", type=click.IntRange(0, _MAX_OFFSET), default=0, show_default=True, help="Pass over so many rows."
)
@click.option("--follow", "-f", is_flag=True, help="Print each attempt when it has ended, until Ctrl-C.")
@how_many
@output_option()
@with_client
def command(
    client: Cronhook,
    job_id: str,
    status: Any,
    oldest_first: bool,
    offset: int,
    follow: bool,
    limit: int,
    everything: bool,
    output: OutputFormat,
) -> None:
    """Show what came of the attempts of a job: one row for each request that was made.

    \b
    Examples:
      cronhook logs JOB_ID --status failed
      cronhook logs JOB_ID --follow
      cronhook logs JOB_ID --all -o jsonl > attempts.jsonl
    """
    if follow:
        if oldest_first or offset or everything or was_given("limit") or output is OutputFormat.JSON:
            raise click.UsageError(
                "--follow goes with --status, -o table and -o jsonl", ctx=click.get_current_context()
            )
        if status == "running":
            raise click.UsageError(
                "--follow prints attempts that have ended, and none of these is running",
                ctx=click.get_current_context(),
            )
        _follow(client, job_id, status, output)
        return
    order: Any = "asc" if oldest_first else None
    ask = partial(client.logs.page, job_id, status=status, order=order, limit=page_size(limit, everything))
    rows = _Rows(ask, offset)
    print_list(rows, LOGS, log_row, output, limit=limit, everything=everything)
    if not rows.is_cut:
        return
    total = "more than 10000" if rows.total is None else rows.total
    reason = (
        f"{rows.given} of {total} attempts are shown, as far as the API lets a log be read: for "
        f"{'newer' if oldest_first else 'older'} ones, see `cronhook executions list {job_id}` "
        "and `cronhook executions show EXECUTION_ID`"
    )
    if everything or rows.given < limit:
        raise OutOfReach(reason)
    note(reason)


class OutOfReach(click.ClickException):
    exit_code = ExitCode.FAILED


class _Rows:
    """The rows of a log, each once, also where new ones move the pages on meanwhile.

    ``given`` counts them. ``is_cut``: they end before the log does, which has ``total`` (None: more than 10 000).
    """

    def __init__(self, ask: Callable[..., LogPage], offset: int) -> None:
        self.given = 0
        self.is_cut = False
        self.total: int | None = None
        self._ask = ask
        self._offset = offset

    def __iter__(self) -> Iterator[LogRow]:
        seen: set[str] = set()
        for page in self._pages():
            for row in page.data:
                if row.id not in seen:
                    seen.add(row.id)
                    self.given += 1
                    yield row

    def _pages(self) -> Iterator[LogPage]:
        offset, following = -1, self._offset
        while offset < following:
            offset = following
            page = self._ask(offset=offset)
            yield page
            if not page.has_more or not page.data:
                return
            following = min(offset + len(page.data), _MAX_OFFSET)
        self.is_cut, self.total = True, page.total


def _follow(client: Cronhook, job_id: str, status: Any, output: OutputFormat) -> None:
    told = {row.id for row in _newest(client, job_id, status) if row.status != "running"}
    while True:
        for row in reversed(_newest(client, job_id, status)):
            if row.status != "running" and row.id not in told:
                told.add(row.id)
                _print(to_json(row), output)
        time.sleep(_ASK_EVERY)


def _newest(client: Cronhook, job_id: str, status: Any) -> list[LogRow]:
    return list(islice(client.logs.list(job_id, status=status, limit=_LOOKED_BACK), _LOOKED_BACK))


def _print(row: dict[str, Any], output: OutputFormat) -> None:
    if output is OutputFormat.JSONL:
        print_line(row)
        return
    what = shown(row["error"] or row["response_body"] or row["outcome"])
    answer = shown(row["response_status"])
    line = f"{row['started_at']}  {row['execution_id']}  try {row['attempt']}  {row['status']}  {answer}  {what}"
    print_text(line, at_once=True)
