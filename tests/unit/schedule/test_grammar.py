"""Which lines are accepted, and what a refusal says."""

from __future__ import annotations

import pytest

from cronhook_core.domain.cron_expression import read_cron
from cronhook_core.domain.cron_grammar import RULES, read_field
from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.errors import InvalidCron
from tests.unit.schedule.lines import ALL

REFUSED = [
    # line, offending field, what the reason says
    ("60 * * * *", "minute", "60 is not between 0 and 59"),
    ("* 24 * * *", "hour", "24 is not between 0 and 23"),
    ("* * 0 * *", "day_of_month", "0 is not between 1 and 31"),
    ("* * 32 * *", "day_of_month", "32 is not between 1 and 31"),
    ("* * * 0 *", "month", "0 is not between 1 and 12"),
    ("* * * 13 *", "month", "13 is not between 1 and 12"),
    ("* * * * 8", "day_of_week", "8 is not between 0 and 7"),
    ("99999999999999999999 * * * *", "minute", "not between"),
    ("00000 * * * *", "minute", "not between"),
    ("-5 * * * *", "minute", "negative"),
    ("*/-5 * * * *", "minute", "negative"),
    ("+5 * * * *", "minute", "not understood"),
    ("1.5 * * * *", "minute", "not understood"),
    ("0x1 * * * *", "minute", "not understood"),
    ("a * * * *", "minute", "not understood"),
    ("MON * * * *", "minute", "not understood"),
    ("* * * JANUARY *", "month", "not understood"),
    ("* * * MON *", "month", "not understood"),
    ("* * * * JAN", "day_of_week", "not understood"),
    ("* * * * MO", "day_of_week", "not understood"),
    ("** * * * *", "minute", "not understood"),
    ("*5 * * * *", "minute", "not understood"),
    ("*-5 * * * *", "minute", "not understood"),
    ("1-2-3 * * * *", "minute", "not understood"),
    ("*/5/5 * * * *", "minute", "not understood"),
    ("1- * * * *", "minute", "not understood"),
    ("*/ * * * *", "minute", "not understood"),
    ("1_0 * * * *", "minute", "not understood"),
    ("0\n* * * * *", "minute", "not understood"),
    ("0 * * * *\n", "day_of_week", "not understood"),
    ("0 * * * *\x00", "day_of_week", "not understood"),
    (", * * * *", "minute", "empty"),
    ("1,,2 * * * *", "minute", "empty"),
    ("1,2, * * * *", "minute", "empty"),
    # steps out of bounds
    ("*/0 * * * *", "minute", "the step 0 is not between 1 and 59"),
    ("*/60 * * * *", "minute", "the step 60 is not between 1 and 59"),
    ("*/1000000000000000000 * * * *", "minute", "not between"),
    ("* */24 * * *", "hour", "the step 24"),
    ("* * */32 * *", "day_of_month", "the step 32"),
    ("* * * */13 *", "month", "the step 13"),
    ("* * * * */8", "day_of_week", "the step 8"),
    ("0-30/0 * * * *", "minute", "the step 0"),
    ("*/MON * * * *", "minute", "not understood"),
    ("* * * * */MON", "day_of_week", "not understood"),
    # what cron implementations read differently
    ("59/15 * * * *", "minute", "N/step"),
    ("0/15 * * * *", "minute", "N/step"),
    ("* 23/2 * * *", "hour", "N/step"),
    ("* * * DEC/3 *", "month", "N/step"),
    ("* * * * 6/1", "day_of_week", "N/step"),
    ("5-1 * * * *", "minute", "descends"),
    ("* 22-6 * * *", "hour", "descends"),
    ("* * * NOV-FEB *", "month", "descends"),
    ("* * * * FRI-SUN", "day_of_week", "Sunday is also 7"),
    ("* * * * 7-1", "day_of_week", "descends"),
    ("5-5 * * * *", "minute", "holds one value"),
    ("* * * JAN-JAN *", "month", "holds one value"),
    ("* * ? * *", "day_of_month", "'?'"),
    ("* * * * ?", "day_of_week", "'?'"),
    ("?/5 * * * *", "minute", "'?'"),
    ("H * * * *", "minute", "'H'"),
    ("H/15 * * * *", "minute", "'H'"),
    ("h(0-29)/10 * * * *", "minute", "'H'"),
    ("0~30 * * * *", "minute", "'~'"),
    ("* * W * *", "day_of_month", "'W'"),
    ("* * 15W * *", "day_of_month", "'W'"),
    ("* * LW * *", "day_of_month", "'W'"),
    ("L * * * *", "minute", "'L'"),
    ("* * L-3 * *", "day_of_month", "'L'"),
    ("* * 1-L * *", "day_of_month", "'L'"),
    ("* * */L * *", "day_of_month", "'L'"),
    ("* * 3L * *", "day_of_month", "'L'"),
    ("* * * * L", "day_of_week", "'L'"),
    ("* * * * 5L", "day_of_week", "'L'"),
    ("* * * * L5", "day_of_week", "'L'"),
    ("* * * * FRIL", "day_of_week", "'L'"),
    ("* * 1#2 * *", "day_of_month", "'#'"),
    ("1#2 * * * *", "minute", "'#'"),
    ("* * * * 1#0", "day_of_week", "not between 1 and 5"),
    ("* * * * 1#6", "day_of_week", "not between 1 and 5"),
    ("* * * * 8#1", "day_of_week", "8 is not between 0 and 7"),
    ("* * * * #1", "day_of_week", "not understood"),
    ("* * * * MON#", "day_of_week", "not understood"),
    ("* * * * MON#L", "day_of_week", "not understood"),
    ("* * * * 1-5#2", "day_of_week", "not understood"),
    ("* * * * *#2", "day_of_week", "not understood"),
    ("* * * * 1#2#3", "day_of_week", "not understood"),
    # dates that no year has
    ("0 0 30 2 *", "day_of_month", "never fires"),
    ("0 0 31 FEB,APR,JUN,SEP,NOV *", "day_of_month", "never fires"),
    ("0 0 30,31 2 */2", "day_of_month", "never fires"),
    # the line as a whole
    ("", None, "empty"),
    (" \t ", None, "empty"),
    ("*", None, "number of fields is 1"),
    ("* * * *", None, "number of fields is 4"),
    ("0 * * * * *", None, "six fields"),
    ("0 0 * * * * 2030", None, "number of fields is 7"),
    ("@reboot", None, "@reboot"),
    ("@Reboot", None, "@reboot"),
    ("@every 5m", None, "not a macro"),
    ("@secondly", None, "not a macro"),
    ("@", None, "not a macro"),
    ("@daily @daily", None, "not a macro"),
    ("0,\u00a01 * * * *", None, "ASCII"),
    ("* * * * \u017fUN", None, "ASCII"),
    ("\u0661 * * * *", None, "ASCII"),
    ("*" * 10_000, None, "at most 256 characters"),
    (" " * 300, None, "at most 256 characters"),
]

SAME = [
    ("0 0 * * *", " 0\t0  *   * *\t"),
    ("5 8 * * *", "05 08 * * *"),
    ("0 0 * * 0", "0 0 * * 7"),
    ("0 0 * * 1-5", "0 0 * * mon-Fri"),
    ("0 0 1 1,7 *", "0 0 1 Jan,JUL *"),
    ("0 0 * * 1#2", "0 0 * * MON#2"),
    ("0 0 L * *", "0 0 l * *"),
    ("0 0 * * 0,6", "0 0 * * 6-7"),
    ("0,20,40 * * * *", "0-59/20 * * * *"),
    ("0 0 * * *", "@daily"),
]


@pytest.mark.parametrize(("line", "field", "says"), REFUSED)
def test_refusals_name_the_field_and_the_reason(line: str, field: str | None, says: str) -> None:
    with pytest.raises(InvalidCron) as caught:
        CronSchedule(line)
    assert caught.value.field == field
    assert says in caught.value.reason
    assert len(caught.value.reason) < 400
    if field is not None:
        assert caught.value.reason.startswith(field.replace("_", " "))


@pytest.mark.parametrize("line", ALL)
def test_accepted(line: str) -> None:
    assert CronSchedule(line).expression == line


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_the_same(one: str, other: str) -> None:
    def values(line: str) -> list[object]:
        read = read_cron(line)
        return [read.minutes, read.hours, read.days, read.months, read.weekdays, read.last_day, read.nth_weekdays]

    assert values(one) == values(other)


def test_the_longest_line() -> None:
    fill = ",".join(f"{minute}" for minute in range(60))
    line = f"{fill} {','.join(f'{hour}' for hour in range(20))} * * *".ljust(256)
    assert CronSchedule(line).expression == line
    with pytest.raises(InvalidCron):
        CronSchedule(line + " ")


def test_every_range_and_step_holds_what_it_says() -> None:
    for rule in RULES:
        for low in range(rule.lowest, rule.highest):
            for high in range(low + 1, rule.highest + 1):
                for step in range(1, 9 if rule.highest > 12 else rule.highest + 1):
                    expected = {n % 7 if rule.name == "day_of_week" else n for n in range(low, high + 1, step)}
                    bits = read_field(rule, f"{low}-{high}/{step}").values
                    assert {n for n in range(60) if bits >> n & 1} == expected


def test_a_line_is_text() -> None:
    with pytest.raises(InvalidCron):
        CronSchedule(5)  # type: ignore[arg-type]
