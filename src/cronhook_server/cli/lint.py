"""``cronhook lint``"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rich_click as click

from cronhook_core.domain.crontab_review import Finding, FindingCode, Review, ReviewedLine, Severity, review
from cronhook_core.domain.schedule_warnings import WarningCode
from cronhook_core.wire.converter import to_json
from cronhook_server.cli.arguments import INSTANT
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.output import OutputFormat, output_option, print_json, print_line, print_text
from cronhook_server.cli.table import shown, styled

CODES = [code.value for code in (*FindingCode, *WarningCode)]

_MOST_SHOWN = 120
"""Characters of a schedule, and of a command, in the table."""


@click.command("lint")
@click.argument("file")
@click.option("--timezone", "-z", default="UTC", show_default=True, help="Until a line CRON_TZ=Zone names another one.")
@click.option(
    "--count", "-n", type=click.IntRange(0, 100), default=3, show_default=True, help="How many next instants."
)
@click.option("--after", type=INSTANT, help="Look at the year after this instant; else from now on.")
@click.option("--ignore", metavar="CODE", multiple=True, type=click.Choice(CODES), help="Not this; may be given again.")
@click.option("--quiet", "-q", is_flag=True, help="Only what was found.")
@output_option()
def command(
    file: str,
    timezone: str,
    count: int,
    after: datetime | None,
    ignore: tuple[str, ...],
    quiet: bool,
    output: OutputFormat,
) -> None:
    """Say what the lines of FILE mean, when they run next, and what about them will surprise within a year.

    FILE is a crontab, or a list of cron lines; - is standard input. No server is needed. Exit code 1 when anything was
    found: what is not accepted, never fires, falls into a gap of the clock or into its repeated hour, names both day
    fields, has uneven steps, runs with many others at minute 0. A code in brackets can be ignored with --ignore.

    \b
    Examples:
      crontab -l | cronhook lint -
      cronhook lint crontab.txt --timezone Europe/Berlin --ignore repeated_hour
      echo '30 2 * * *' | cronhook lint - -z Europe/Berlin -o json
    """
    found = review(_text_of(file), timezone=timezone, after=after or datetime.now(UTC), count=count).without(ignore)
    if output is OutputFormat.TABLE:
        for line in _told("stdin" if file == "-" else file, found, quiet=quiet):
            print_text(line)
    elif output is OutputFormat.JSON:
        print_json({"lines": [_line(line) for line in found.lines], "others": [to_json(f) for f in found.others]})
    else:
        for value in [*map(_line, found.lines), *map(to_json, found.others)]:
            print_line(value)
    if found.findings:
        sys.exit(ExitCode.FAILED)


def _text_of(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from None
    return content.decode("utf-8", "replace")


def _line(line: ReviewedLine) -> dict[str, Any]:
    schedule = line.schedule
    instants = [] if schedule is None else [(at, schedule.local(at)) for at in line.instants]
    return {
        "line": line.line,
        "expression": line.expression,
        "timezone": line.timezone,
        "command": line.command,
        "words": line.words,
        "next": [{"at": to_json(at), "local": local.isoformat()} for at, local in instants],
        "findings": [to_json(finding) for finding in line.findings],
    }


def _told(name: str, found: Review, *, quiet: bool) -> Iterator[str]:
    if quiet:
        yield from (_finding(name, finding) for finding in found.findings)
        return
    for finding in found.others:
        yield _finding(name, finding)
    for line in found.lines:
        yield from _schedule(line)
        yield from (f"  {_finding(name, finding)}" for finding in line.findings)
    yield _summary(found)


def _schedule(line: ReviewedLine) -> Iterator[str]:
    zone = "" if line.timezone == "UTC" else f"  {_shortened(line.timezone)}"
    command = "" if line.command is None else f"  {_shortened(line.command)}"
    yield f"{line.line}: {_emphasised(_shortened(line.expression))}{zone}{command}"
    if line.schedule is not None:
        yield f"  runs {line.words}"
        for n, instant in enumerate(line.instants):
            yield f"  {'next' if n == 0 else '    '}  {line.schedule.local(instant):%a %Y-%m-%d %H:%M %Z}"


def _finding(name: str, finding: Finding) -> str:
    place = f"{name}:{finding.line}" + (f":{finding.column}" if finding.column is not None else "")
    severity: str = finding.severity
    if sys.stdout.isatty():
        severity = styled(severity, fg="red" if finding.severity is Severity.ERROR else "yellow", bold=True)
    return f"{place}: {severity}: {shown(finding.detail)} [{finding.code}]"


def _shortened(text: str) -> str:
    return shown(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…")


def _emphasised(text: str) -> str:
    return styled(text, bold=True) if sys.stdout.isatty() else text


def _summary(found: Review) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in found.findings)
    warnings = len(found.findings) - errors
    counts = [_plural(len(found.lines), "schedule"), _plural(errors, "error"), _plural(warnings, "warning")]
    return ", ".join(counts) + "."


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
