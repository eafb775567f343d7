"""``cronhook preview``"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import rich_click as click

from cronhook_core.domain.cron_words import words_for
from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.preview import MAX_COUNT, PreviewRead, previewed_instants
from cronhook_server.cli.arguments import INSTANT
from cronhook_server.cli.output import OutputFormat, note, output_option, print_json, print_rows, print_text
from cronhook_server.cli.table import styled


@click.command("preview")
@click.argument("cron")
@click.option("--timezone", "-z", default="UTC", show_default=True, help="An IANA zone, such as Europe/Berlin.")
@click.option("--count", "-n", type=click.IntRange(1, MAX_COUNT), default=10, show_default=True, help="How many.")
@click.option("--after", type=INSTANT, help="The instants after this one; else from now on.")
@output_option()
def command(cron: str, timezone: str, count: int, after: datetime | None, output: OutputFormat) -> None:
    """Show the next instants of CRON, a line of five fields, and what may surprise in it. Needs no server.

    \b
    Examples:
      cronhook preview '30 2 * * *' --timezone Europe/Berlin
      cronhook preview '0 9 * * MON#1' -n 3 -o json
    """
    schedule = CronSchedule(cron, timezone)
    after = after or datetime.now(UTC)
    instants = tuple(previewed_instants(schedule, after=after, count=count))
    preview = to_json(PreviewRead.of(schedule, instants, after=after))
    print_preview(preview, output, words=words_for(schedule.recurrence.expression))


def print_preview(preview: Mapping[str, Any], output: OutputFormat, *, words: str | None = None) -> None:
    """Warnings go to stderr, beside a table and beside JSON lines."""
    if output is OutputFormat.JSON:
        print_json(preview)
        return
    if words is not None and output is OutputFormat.TABLE:
        print_text(f"Runs {words}.")
    print_rows(preview["data"], ("local", "at"), output)
    for warning in preview["warnings"]:
        note(f"{styled('Note:', fg='yellow')} {warning['detail']}")
