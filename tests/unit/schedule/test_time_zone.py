"""Zones and the jumps of their clocks, held against the files of the zone database."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from importlib import metadata, resources
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from cronhook_core.domain.time_zone import LONGEST_SHIFT, time_zone, zone_database_version, zone_names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SINCE = datetime(1899, 1, 1, tzinfo=UTC)
CURIOUS = (
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/New_York",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "UTC",
)
Jump = tuple[datetime, timedelta, timedelta]


def jumps(name: str) -> list[Jump]:
    """Where the file of a zone changes the offset; RFC 9636: the second block; type 0 rules before the first entry."""
    data = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    utc, standard, leaps, times, types, letters = struct.unpack(">6l", data[20:44])
    start = 44 + 5 * times + 6 * types + letters + 8 * leaps + standard + utc
    *_, times, types, _ = struct.unpack(">6l", data[start + 20 : start + 44])
    start += 44
    seconds = struct.unpack(f">{times}q", data[start : start + 8 * times])
    indices = data[start + 8 * times : start + 9 * times]
    kinds = [data[start + 9 * times + 6 * i :][:4] for i in range(types)]
    offsets = [timedelta(seconds=struct.unpack(">l", kinds[i])[0]) for i in bytes(1) + indices]
    instants = [EPOCH + timedelta(seconds=second) if second > -(10**10) else SINCE for second in seconds]
    changes = zip(instants, pairwise(offsets), strict=True)
    return [(at, before, after) for at, (before, after) in changes if before != after and at >= SINCE]


def shifts_up_to_the_last_written(name: str, start: datetime) -> tuple[list[Jump], list[Jump]]:
    """What we find and what the file says; behind its last entry a file gives a rule only."""
    written = jumps(name)
    end = written[-1][0] if written else start
    found = time_zone(name).shifts(start, max(start, end))
    return [(s.at, s.before, s.after) for s in found], [jump for jump in written if start < jump[0]]


@pytest.mark.parametrize("name", CURIOUS)
def test_shifts_are_those_of_the_database(name: str) -> None:
    found, written = shifts_up_to_the_last_written(name, datetime(1899, 12, 31, tzinfo=UTC))
    assert found == written


def test_the_last_written_shifts_of_all_zones() -> None:
    for name in zone_names():
        written = jumps(name)
        if written:
            found, expected = shifts_up_to_the_last_written(name, written[-1][0] - timedelta(days=400))
            assert found == expected, name


def test_no_offset_is_too_short_lived_to_be_seen_and_no_jump_too_long() -> None:
    for name in zone_names():
        for (at, before, after), (following, *_) in pairwise(jumps(name)):
            assert following - at >= timedelta(days=6), name
            assert abs(after - before) < LONGEST_SHIFT, name


def test_bounds_of_shifts() -> None:
    zone = time_zone("Europe/Berlin")
    spring = datetime(2025, 3, 30, 1, tzinfo=UTC)
    autumn = datetime(2025, 10, 26, 1, tzinfo=UTC)
    assert [shift.at for shift in zone.shifts(spring, autumn)] == [autumn]
    assert [shift.at for shift in zone.shifts(spring - timedelta.resolution, autumn - timedelta.resolution)] == [spring]
    assert zone.first_shift(spring, autumn - timedelta.resolution) is None
    found = zone.first_shift(spring - timedelta.resolution, autumn)
    assert found is not None
    assert (found.at, found.is_gap, found.size) == (spring, True, timedelta(hours=1))
    assert (found.wall_before.hour, found.wall_after.hour) == (2, 3)


def test_zones_are_those_of_the_package_not_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnlyFromFiles(ZoneInfo):
        def __new__(cls, key: str) -> OnlyFromFiles:
            raise AssertionError(f"{key} was looked up in the system's zones")

    monkeypatch.setattr("cronhook_core.domain.time_zone.ZoneInfo", OnlyFromFiles)
    assert time_zone.__wrapped__("Asia/Kathmandu").offset(EPOCH) == timedelta(hours=5, minutes=30)


def test_the_version_is_that_of_the_package() -> None:
    assert zone_database_version() == metadata.version("tzdata")
