"""What holds for every line, every zone and every instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile

from hypothesis import given, settings
from hypothesis import strategies as st

from cronhook_core.domain.cron_grammar import DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, FieldRule
from cronhook_core.domain.schedule import MAX_MISSED, CatchUp, CronSchedule
from cronhook_core.domain.time_zone import Shift, time_zone
from tests.unit.schedule.oracles import by_the_rule

SECOND = timedelta(seconds=1)
ZONES = (
    "Africa/Casablanca",
    "America/New_York",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
)
SHIFTS = {
    zone: time_zone(zone).shifts(datetime(2011, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)) for zone in ZONES
}


@st.composite
def items(draw: st.DrawFn, rule: FieldRule, *, star: bool) -> str:
    low = draw(st.integers(rule.lowest, rule.highest - 1))
    high = draw(st.integers(low + 1, rule.highest))
    step = draw(st.integers(1, min(rule.highest, 12)))
    forms = [f"{low}", f"{low}-{high}", f"{low}-{high}/{step}"]
    return draw(st.sampled_from([*forms, "*", f"*/{step}"] if star else forms))


@st.composite
def fields(draw: st.DrawFn, rule: FieldRule) -> str:
    star = draw(st.booleans())
    return ",".join(draw(st.lists(items(rule, star=star), min_size=1, max_size=3)))


days = st.one_of(st.just("*"), st.just("L"), fields(DAY_OF_MONTH))
weekdays = st.one_of(st.just("*"), st.just("SUN#2"), fields(DAY_OF_WEEK))
months = st.one_of(st.just("*"), st.just("*"), fields(MONTH))
lines = st.builds(lambda *parts: " ".join(parts), fields(MINUTE), fields(HOUR), days, months, weekdays).filter(
    # One day of the week in one month, as in '0 0 */30 2 1', may be years away: such lines have tests of their own.
    lambda line: CronSchedule(line).next_after(datetime(2024, 1, 1, tzinfo=UTC)) is not None
)
times = st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def places(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant, mostly near a jump of its clock."""
    zone = draw(st.sampled_from(ZONES))
    if not SHIFTS[zone] or draw(st.integers(0, 3)) == 0:
        return zone, draw(times)
    shift = draw(st.sampled_from(SHIFTS[zone]))
    return zone, shift.at + SECOND * draw(st.integers(-100_000, 100_000))


@given(line=lines, place=places())
def test_instants_increase_and_fall_on_whole_minutes(line: str, place: tuple[str, datetime]) -> None:
    zone, start = place
    found = [start, *islice(CronSchedule(line, zone).instants(start, 20), 20)]
    assert all(one < other for one, other in pairwise(found))
    assert all(instant.second == instant.microsecond == 0 and instant.tzinfo is UTC for instant in found[1:])


@given(line=lines, place=places(), part=st.floats(0, 1, exclude_max=True))
def test_the_next_instant_is_the_same_from_wherever_one_looks(
    line: str, place: tuple[str, datetime], part: float
) -> None:
    zone, start = place
    schedule = CronSchedule(line, zone)
    found = schedule.next_after(start)
    if found is not None:
        between = start + (found - start) * part
        assert schedule.next_after(min(between, found - timedelta.resolution)) == found


@given(line=lines, place=places(), minutes=st.integers(0, 3_000))
def test_catching_up_equals_walking(line: str, place: tuple[str, datetime], minutes: int) -> None:
    zone, start = place
    schedule = CronSchedule(line, zone)
    first = schedule.next_after(start)
    if first is None:
        return
    now = first + timedelta(minutes=minutes)
    walked = list(takewhile(lambda instant: instant <= now, schedule.instants(start, 5_000)))
    missed = min(len(walked) - 1, MAX_MISSED)
    expected = CatchUp(latest=walked[-1], missed_count=missed, missed_from=first if missed else None)
    assert schedule.catch_up(first, now) == expected


@settings(deadline=None)  # the first look at a zone's jump builds a table of its clock
@given(line=lines, zone=st.sampled_from([zone for zone in ZONES if SHIFTS[zone]]), data=st.data())
def test_a_jump_is_passed_as_the_rule_says(line: str, zone: str, data: st.DataObject) -> None:
    shift: Shift = data.draw(st.sampled_from(SHIFTS[zone]))
    after, until = shift.at - timedelta(hours=5), shift.at + timedelta(hours=27)
    found = takewhile(lambda instant: instant <= until, CronSchedule(line, zone).instants(after, 5_000))
    assert list(found) == by_the_rule(line, zone, after, until)
