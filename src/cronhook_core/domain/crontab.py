"""The lines of a crontab, or of a plain list of cron lines: where each schedule stands, and in which zone it is meant.

A schedule is five fields or a macro, with or without a command behind it. ``CRON_TZ=Zone`` on a line of its own holds
from there on (cronie, crontab(5)); before a schedule on the same line it holds for that line alone, as ``TZ=`` does
(Kubernetes and others).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

_FIELDS = 5
_TOKEN = re.compile(r"[^ \t]+")
_SETTING = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*?)[ \t]*")
_ZONE_BEFORE = re.compile(r"[ \t]*(?:CRON_TZ|TZ)=([^ \t]+)[ \t]+(?=[^ \t])")
_NAME = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|MON|TUE|WED|THU|FRI|SAT|SUN"
_FIELD_LIKE = re.compile(rf"(?:[0-9*,/?#LWH~-]|{_NAME})+")
_NAMES = re.compile(rf"(?:{_NAME})(?:[,-](?:{_NAME}))*")
_LINE_END = re.compile(r"\r\n|\n|\r")
"""Nothing else ends a line of a crontab."""
_UNESCAPED_PERCENT = re.compile(r"(?<!\\)%")


@frozen(kw_only=True)
class ZoneChange:
    """``CRON_TZ`` on a line of its own. ``line`` and ``column`` count from 1."""

    line: int
    column: int
    timezone: str


@frozen(kw_only=True)
class Ignored:
    """A setting that users take for the schedules' zone, and that is not."""

    line: int
    column: int
    name: str


@frozen(kw_only=True)
class CrontabLine:
    """One schedule as it is written. ``line`` and ``columns``, one for each of its parts, count from 1.

    ``timezone`` None: that of the lines before. ``command`` is what stands behind the schedule, None for nothing;
    ``percent_column`` is where an unescaped ``%`` in it is.
    """

    line: int
    columns: tuple[int, ...]
    expression: str
    timezone: str | None = None
    timezone_column: int | None = None
    command: str | None = None
    percent_column: int | None = None


Entry = ZoneChange | Ignored | CrontabLine


def read_crontab(text: str) -> Iterator[Entry]:
    """What the lines say, in order; blank lines, comments and settings without a meaning here are passed over."""
    for number, line in enumerate(_LINE_END.split(text.removeprefix("\ufeff")), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            entry = _read_line(number, line)
            if entry is not None:
                yield entry


def _read_line(number: int, line: str) -> Entry | None:
    zoned = _ZONE_BEFORE.match(line)
    if zoned is not None:
        return _schedule(number, line, zoned.end(), zone=zoned)
    setting = _SETTING.fullmatch(line)
    if setting is None:
        return _schedule(number, line, 0)
    name, value = setting[1], setting[2].strip("\"'")
    if name == "CRON_TZ":
        return ZoneChange(line=number, column=setting.start(2) + 1, timezone=value)
    return Ignored(line=number, column=setting.start(1) + 1, name=name) if name == "TZ" else None


def _schedule(number: int, line: str, start: int, zone: re.Match[str] | None = None) -> CrontabLine:
    tokens = list(_TOKEN.finditer(line, start))
    parts = tokens[: _length(tokens)]
    command = line[tokens[len(parts)].start() :].rstrip() if len(tokens) > len(parts) else None
    percent = _UNESCAPED_PERCENT.search(line, tokens[len(parts)].start()) if command is not None else None
    return CrontabLine(
        line=number,
        columns=tuple(part.start() + 1 for part in parts),
        expression=" ".join(part[0] for part in parts),
        timezone=None if zone is None else zone[1],
        timezone_column=None if zone is None else zone.start(1) + 1,
        command=command,
        percent_column=None if percent is None else percent.start() + 1,
    )


def _length(tokens: list[re.Match[str]]) -> int:
    """How many tokens are the schedule. Where a sixth one is a field too, they are more than cron has."""
    if tokens[0][0].startswith("@"):
        return 1
    fields = 0
    while fields < len(tokens) and _FIELD_LIKE.fullmatch(tokens[fields][0].upper()):
        fields += 1
    if fields > _FIELDS and not _is_field(tokens[_FIELDS][0].upper(), last=len(tokens) == _FIELDS + 1):
        fields = _FIELDS
    return max(fields, min(_FIELDS, len(tokens)))


def _is_field(sixth: str, *, last: bool) -> bool:
    """Some commands and users look like one: ``w``, ``jan`` before a command, a ``#``."""
    if sixth.startswith("#"):
        return False
    if any(sign in "0123456789*?" for sign in sixth):
        return True
    return _NAMES.fullmatch(sixth) is not None and (last or len(sixth) > len("MON"))
