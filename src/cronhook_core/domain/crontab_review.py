"""What the schedules of a crontab mean, and what about them will surprise within a year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import evolve, field, frozen

from cronhook_core.domain.cron_grammar import RULES
from cronhook_core.domain.cron_words import words_for
from cronhook_core.domain.crontab import CrontabLine, Ignored, read_crontab
from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.domain.schedule_warnings import warnings_for
from cronhook_core.domain.time_zone import time_zone
from cronhook_core.errors import InvalidCron, InvalidRequest, InvalidTimezone

LOOKED_AHEAD = timedelta(days=366)
HERD = 3
"""So many lines that all run at minute 0 of one hour are worth being spread."""
_HERD_WITHIN = timedelta(days=7)


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class FindingCode(StrEnum):
    """Beside these, a finding may have a code of `schedule_warnings.WarningCode`."""

    INVALID_CRON = "invalid_cron"
    INVALID_TIMEZONE = "invalid_timezone"
    NEVER_FIRES = "never_fires"
    RARE = "rare"
    PERCENT_SIGN = "percent_sign"
    TZ_IGNORED = "tz_ignored"
    HERD = "herd"


@frozen(kw_only=True)
class Finding:
    """``detail`` is a sentence. ``column`` counts from 1; None: the line as a whole."""

    code: str
    severity: Severity
    line: int
    column: int | None = None
    detail: str


@frozen(kw_only=True)
class ReviewedLine:
    """``words`` and ``schedule`` are None where the line is not accepted; ``instants`` are the next ones."""

    line: int
    expression: str
    timezone: str
    command: str | None
    words: str | None = None
    schedule: CronSchedule | None = None
    instants: tuple[datetime, ...] = ()
    findings: tuple[Finding, ...] = ()


@frozen(kw_only=True)
class Review:
    """``others`` are findings that are not about a schedule alone."""

    lines: tuple[ReviewedLine, ...] = ()
    others: tuple[Finding, ...] = field(default=())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, by line."""
        found = [*self.others, *(finding for line in self.lines for finding in line.findings)]
        return tuple(sorted(found, key=lambda finding: (finding.line, finding.column or 0)))

    def without(self, codes: Sequence[str]) -> Review:
        """The same, without findings of these codes."""
        lines = tuple(evolve(line, findings=_kept(line.findings, codes)) for line in self.lines)
        return Review(lines=lines, others=_kept(self.others, codes))


def review(text: str, *, timezone: str, after: datetime, count: int) -> Review:
    """``timezone`` holds until the text names another one; up to ``count`` instants later than ``after`` are given.

    Raises `InvalidTimezone` for ``timezone`` alone; whatever is wrong with the text is a finding.
    """
    time_zone(timezone)
    lines: list[ReviewedLine] = []
    others: list[Finding] = []
    for entry in read_crontab(text):
        if isinstance(entry, CrontabLine):
            lines.append(_reviewed(entry, entry.timezone or timezone, after, count))
        elif isinstance(entry, Ignored):
            others.append(_ignored(entry))
        elif (wrong := _wrong_zone(entry.timezone, entry.line, entry.column)) is not None:
            others.append(wrong)
        else:
            timezone = entry.timezone
    others += _herds(lines, after)
    return Review(lines=tuple(lines), others=tuple(sorted(others, key=lambda finding: finding.line)))


def _reviewed(entry: CrontabLine, timezone: str, after: datetime, count: int) -> ReviewedLine:
    plain = ReviewedLine(line=entry.line, expression=entry.expression, timezone=timezone, command=entry.command)
    try:
        schedule = CronSchedule(entry.expression, timezone)
    except InvalidRequest as error:
        return evolve(plain, findings=(_refused(entry, error),))
    try:
        first = schedule.require_instant_after(after)
    except InvalidCron as error:
        never = _finding(FindingCode.NEVER_FIRES, entry.line, entry.columns[0], str(error), Severity.ERROR)
        return evolve(plain, findings=(never,))
    return evolve(
        plain,
        words=words_for(schedule.recurrence.expression),
        schedule=schedule,
        instants=tuple(schedule.instants(after, count)),
        findings=tuple(_findings(entry, schedule, first, after)),
    )


def _refused(entry: CrontabLine, error: InvalidRequest) -> Finding:
    if isinstance(error, InvalidTimezone):
        column = entry.timezone_column or entry.columns[0]
        return _finding(FindingCode.INVALID_TIMEZONE, entry.line, column, str(error), Severity.ERROR)
    never = "never fires" in str(error)
    code = FindingCode.NEVER_FIRES if never else FindingCode.INVALID_CRON
    named = error.field if isinstance(error, InvalidCron) else None
    return _finding(code, entry.line, _column_of(entry, named), str(error), Severity.ERROR)


def _findings(entry: CrontabLine, schedule: CronSchedule, first: datetime, after: datetime) -> Iterator[Finding]:
    start = entry.columns[0]
    if first - after > LOOKED_AHEAD:
        detail = f"The next run is on {schedule.local(first):%Y-%m-%d}, more than a year away."
        yield _finding(FindingCode.RARE, entry.line, start, detail)
    for warning in warnings_for(schedule, after, after + LOOKED_AHEAD):
        yield _finding(warning.code, entry.line, start, warning.detail)
    if entry.percent_column is not None:
        detail = (
            "cron ends the command at '%' and hands it what follows as input; a cronhook job has a payload for that"
        )
        yield _finding(FindingCode.PERCENT_SIGN, entry.line, entry.percent_column, detail)


def _column_of(entry: CrontabLine, field_name: str | None) -> int:
    """Where the field stands; a macro is one part."""
    names = [rule.name for rule in RULES]
    if field_name in names and len(entry.columns) == len(names):
        return entry.columns[names.index(field_name)]
    return entry.columns[0]


def _wrong_zone(timezone: str, line: int, column: int) -> Finding | None:
    try:
        time_zone(timezone)
    except InvalidTimezone as error:
        detail = f"{error}; the lines below keep the zone from before"
        return _finding(FindingCode.INVALID_TIMEZONE, line, column, detail, Severity.ERROR)
    return None


def _ignored(entry: Ignored) -> Finding:
    detail = f"{entry.name} sets the zone of commands, not of schedules: write CRON_TZ"
    return _finding(FindingCode.TZ_IGNORED, entry.line, entry.column, detail)


def _herds(lines: Sequence[ReviewedLine], after: datetime) -> Iterator[Finding]:
    """One finding for the greatest herd of lines whose only minute is 0, told at its first line."""
    sharp = [line for line in lines if line.schedule is not None and line.schedule.recurrence.expression.minutes == 1]
    counts = Counter(instant for line in sharp for instant in _within_a_week(line, after))
    if not counts:
        return
    instant, size = min(counts.items(), key=lambda item: (-item[1], item[0]))
    if size < HERD:
        return
    members = [line.line for line in sharp if instant in set(_within_a_week(line, after))]
    listed = ", ".join(map(str, members))
    detail = (
        f"{size} lines run together at {instant:%Y-%m-%d %H:%M} UTC (lines {listed}): give them other minutes than 0"
    )
    yield _finding(FindingCode.HERD, members[0], None, detail)


def _within_a_week(line: ReviewedLine, after: datetime) -> Iterator[datetime]:
    assert line.schedule is not None  # noqa: S101
    for instant in line.schedule.instants(after, int(_HERD_WITHIN / timedelta(hours=1))):
        if instant - after > _HERD_WITHIN:
            return
        yield instant


def _finding(code: str, line: int, column: int | None, detail: str, severity: Severity = Severity.WARNING) -> Finding:
    sentence = detail[:1].upper() + detail[1:]
    if not sentence.endswith("."):
        sentence += "."
    return Finding(code=str(code), severity=severity, line=line, column=column, detail=sentence)


def _kept(findings: Sequence[Finding], codes: Sequence[str]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.code not in codes)
