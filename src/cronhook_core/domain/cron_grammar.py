"""The grammar of one cron field: stricter than any cron, so that no line means two things.

A field is a list of items ``*``, ``a``, ``a-b``, ``*/n`` and ``a-b/n``; also ``L`` in day of month and ``d#n`` in day
of week. What cron implementations read differently is refused: ``a/n`` (one value, or up to the end?), ``a-a`` (one
value, or all?), descending ranges, ``?``, ``W``, ``H``, ``~``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from cronhook_core.errors import InvalidCron

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SUNDAY_AS_SEVEN = 7
_MOST_WEEKS = 5

_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\w+))?", re.ASCII)
_NTH = re.compile(r"(\w+)#(\w+)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,4}")
_REFUSALS = (
    (re.compile(r".*\?.*"), "'?' is not accepted: write '*'"),
    (re.compile(r"H(\W.*)?"), "'H' (a hashed value) is not accepted: write the number"),
    (re.compile(r".*~.*"), "'~' (a random value) is not accepted: write the number"),
    (re.compile(r"[0-9]*W[0-9]*|LW|WL"), "'W' (the nearest weekday) is not accepted"),
    (re.compile(r".*#.*"), "'#' is accepted in day of week alone, as in 'MON#1' (the first Monday)"),
    (re.compile(r"L|L\W.*|[0-9]+L|L[0-9]+|[A-Z]{3}L"), "'L' is accepted in day of month alone, standing by itself"),
    (re.compile(r"-.*|.*/-.*"), "negative numbers are not accepted"),
)


@frozen(kw_only=True)
class FieldRule:
    """What one of the five fields may hold."""

    name: str
    lowest: int
    highest: int
    names: Mapping[str, int] = field(factory=dict)

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")


MINUTE = FieldRule(name="minute", lowest=0, highest=59)
HOUR = FieldRule(name="hour", lowest=0, highest=23)
DAY_OF_MONTH = FieldRule(name="day_of_month", lowest=1, highest=31)
MONTH = FieldRule(name="month", lowest=1, highest=12, names={name: i for i, name in enumerate(_MONTHS, 1)})
DAY_OF_WEEK = FieldRule(name="day_of_week", lowest=0, highest=7, names={name: i for i, name in enumerate(_WEEKDAYS)})
RULES = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


@frozen(kw_only=True)
class Item:
    """``first`` to ``last`` by ``step``; ``is_star`` when it was written with ``*``."""

    first: int
    last: int
    step: int = 1
    is_star: bool = False


@frozen(kw_only=True)
class CronField:
    """One field, read: its text, its plain items, and the two special forms.

    ``values`` has bit n set for every value n of the plain items; Sunday is bit 0 only.
    """

    rule: FieldRule
    text: str
    items: tuple[Item, ...]
    last_day: bool
    nth_weekdays: tuple[tuple[int, int], ...]
    values: int

    @property
    def starts_with_star(self) -> bool:
        """What Debian's cron looks at, to the letter: ``*/2,5`` does, ``5,*/2`` does not."""
        return self.text.startswith("*")


def read_field(rule: FieldRule, text: str) -> CronField:
    """Reads one field of a line; raises `InvalidCron` that names the field."""
    items, nth_weekdays, last_day = [], [], False
    for part in text.upper().split(","):
        if rule is DAY_OF_MONTH and part == "L":
            last_day = True
        elif rule is DAY_OF_WEEK and "#" in part:
            nth_weekdays.append(_read_nth(part))
        else:
            items.append(_read_item(rule, part))
    return CronField(
        rule=rule,
        text=text,
        items=tuple(items),
        last_day=last_day,
        nth_weekdays=tuple(nth_weekdays),
        values=_bits(rule, items),
    )


def _bits(rule: FieldRule, items: list[Item]) -> int:
    values = {value for item in items for value in range(item.first, item.last + 1, item.step)}
    if rule is DAY_OF_WEEK:
        values = {value % _SUNDAY_AS_SEVEN for value in values}
    return sum(1 << value for value in values)


def _read_item(rule: FieldRule, text: str) -> Item:
    match = _ITEM.fullmatch(text)
    if match is None:
        raise _refusal(rule, text)
    star, first, last, step = match.groups()
    if star:
        return Item(first=rule.lowest, last=rule.highest, step=_read_step(rule, step), is_star=True)
    low = _read_value(rule, first)
    if last is None:
        if step is not None:
            raise _error(rule, f"{text!r}: a step follows '*' or a range; cron implementations disagree about 'N/step'")
        return Item(first=low, last=low)
    high = _read_value(rule, last)
    if low > high:
        hint = " (Sunday is also 7, as in '5-7')" if rule is DAY_OF_WEEK and high == 0 else ""
        raise _error(rule, f"the range {text!r} descends: write the lower value first, or two ranges{hint}")
    if low == high:
        raise _error(rule, f"the range {text!r} holds one value, which cron implementations disagree about: {low}")
    return Item(first=low, last=high, step=_read_step(rule, step))


def _read_value(rule: FieldRule, text: str) -> int:
    if text in rule.names:
        return rule.names[text]
    if not text.isdigit():
        raise _refusal(rule, text)
    return _read_number(rule, text, rule.lowest, rule.highest, "")


def _read_step(rule: FieldRule, text: str | None) -> int:
    if text is None:
        return 1
    if not text.isdigit():
        raise _refusal(rule, text)
    return _read_number(rule, text, 1, rule.highest, "the step ")


def _read_nth(text: str) -> tuple[int, int]:
    match = _NTH.fullmatch(text)
    if match is None or not match[2].isdigit():
        raise _error(DAY_OF_WEEK, f"{text[:40]!r} is not understood: write one day and a number, as in 'MON#1'")
    weekday = _read_value(DAY_OF_WEEK, match[1]) % _SUNDAY_AS_SEVEN
    return weekday, _read_number(DAY_OF_WEEK, match[2], 1, _MOST_WEEKS, "the number behind '#', ")


def _read_number(rule: FieldRule, text: str, lowest: int, highest: int, what: str) -> int:
    if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
        raise _error(rule, f"{what}{text[:40]} is not between {lowest} and {highest}")
    return int(text)


def _refusal(rule: FieldRule, text: str) -> InvalidCron:
    for pattern, reason in _REFUSALS:
        if pattern.fullmatch(text):
            return _error(rule, reason)
    if not text:
        return _error(rule, "an item of the list is empty")
    accepted = f"{rule.lowest} to {rule.highest}" + (f" or {', '.join(rule.names)}" if rule.names else "")
    return _error(rule, f"{text[:40]!r} is not understood; values are {accepted}")


def _error(rule: FieldRule, reason: str) -> InvalidCron:
    return InvalidCron(f"{rule.words}: {reason}", field=rule.name)
