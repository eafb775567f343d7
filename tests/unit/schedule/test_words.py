"""What lines mean in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronhook_core.domain.cron_expression import CronExpression, read_cron
from cronhook_core.domain.cron_grammar import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH
from cronhook_core.domain.cron_words import words_for
from cronhook_core.errors import InvalidCron
from tests.unit.schedule.test_properties import fields, lines

RULES = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("*/7 * * * *", "every 7 minutes from minute 0 to 56 of every hour"),
        ("@hourly", "at minute 0 of every hour"),
        ("0 */4 * * *", "at 00:00, 04:00, 08:00, 12:00, 16:00 and 20:00 every day"),
        ("15 */2 * * *", "at minute 15 of every 2nd hour from 0"),
        ("0 */5 * * *", "at 00:00, 05:00, 10:00, 15:00 and 20:00 every day"),
        ("30 2 * * *", "at 02:30 every day"),
        ("30 2 * * 1-5", "at 02:30 on Monday to Friday"),
        ("0 9,17 * * MON", "at 09:00 and 17:00 on Monday"),
        ("*/10 9-17 * * 6,0", "every 10 minutes of the hours 9 to 17 on Saturday and Sunday"),
        ("0 0 1 * *", "at 00:00 on day 1 of the month"),
        ("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 13 * FRI", "at 00:00 on day 13 of the month or on Friday"),
        ("0 0 */2 * FRI", "at 00:00 on every 2nd day from the 1st to the 31st of the month where that is Friday"),
        ("0 0 * * MON#1", "at 00:00 on the first Monday of the month"),
        ("0 0 29 2 *", "at 00:00 on day 29 of the month in February"),
        ("0 0 * 1,3-5 *", "at 00:00 every day in January and March to May"),
        ("0 0 1-31 * FRI", "at 00:00 every day"),
        ("@yearly", "at 00:00 on day 1 of the month in January"),
    ],
)
def test_words_of_a_line(line: str, words: str) -> None:
    assert words_for(read_cron(line)) == words


def meaning(expression: CronExpression) -> tuple[object, ...]:
    """The times of day and the days of every kind of month that a line names."""
    days = tuple(expression._days_of(first, length) for first in range(7) for length in (28, 29, 30, 31))
    return expression.minutes, expression.hours, expression.months, days


@st.composite
def siblings(draw: st.DrawFn) -> tuple[str, str]:
    """Two lines that differ in one field."""
    line, n = draw(lines), draw(st.integers(0, 4))
    parts = line.split(" ")
    parts[n] = draw(st.one_of(fields(RULES[n]), st.just("*")))
    return line, " ".join(parts)


@given(siblings())
@settings(max_examples=300, deadline=None)
def test_lines_of_other_meaning_have_other_words(pair: tuple[str, str]) -> None:
    try:
        one, other = map(read_cron, pair)
    except InvalidCron:
        return
    if words_for(one) == words_for(other):
        assert meaning(one) == meaning(other)
