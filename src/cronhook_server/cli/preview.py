"""``cronhook preview``"""

from __future__ import annotations

from datetime import UTC, datetime

import rich_click as click
from rich.markup import escape

from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.preview import MAX_COUNT, PreviewRead
from cronhook_server.cli.output import OutputFormat, console, output_option, print_json, print_rows


@click.command("preview")
@click.argument("cron")
@click.option("--timezone", "-z", default="UTC", show_default=True, help="An IANA zone, such as Europe/Berlin.")
@click.option("--count", "-n", type=click.IntRange(1, MAX_COUNT), default=10, show_default=True, help="How many.")
@output_option()
def command(cron: str, timezone: str, count: int, output: OutputFormat) -> None:
    """Show the next instants of CRON, a line of five fields, and what may surprise in it."""
    preview = to_json(PreviewRead.of(CronSchedule(cron, timezone), after=datetime.now(UTC), count=count))
    if output is OutputFormat.JSON:
        print_json(preview)
        return
    print_rows(preview["data"], ("local", "at"), output)
    for warning in preview["warnings"]:
        console(stderr=True).print(f"[yellow]Note:[/] {escape(warning['detail'])}")
