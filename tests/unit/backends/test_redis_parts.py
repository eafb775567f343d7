"""What of the Redis backend needs no Redis."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from cronhook_core.backends.redis.lock import _milliseconds
from cronhook_core.backends.redis.messages import decode, decode_instant, encode, encode_instant
from cronhook_core.backends.redis.patience import Backoff
from cronhook_core.domain.execution import QueueMessage


def message(**changes: object) -> QueueMessage:
    fields = {
        "execution_id": "exe_01",
        "job_id": "job_01",
        "workspace_id": "wsp_01",
        "host": "receiver.example",
        "scheduled_for": datetime(2026, 3, 2, 12, 0, 0, 1, tzinfo=UTC),
        "attempt": 1,
    }
    return QueueMessage(**{**fields, **changes})


def test_the_format_of_a_message_stays_readable_for_older_and_newer_versions() -> None:
    assert encode(message()) == b"1 exe_01 job_01 wsp_01 1772452800000001 1 receiver.example"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attempt": 1_000_000},
        {"host": "bücher.example"},
        {"host": "[2001:db8::1]"},
        {"host": "a host with spaces"},
        {"host": ""},
        {"scheduled_for": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)},
        {"scheduled_for": datetime(1960, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_message_comes_back_as_it_was(changes: dict[str, object]) -> None:
    assert decode(encode(message(**changes))) == message(**changes)


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"1",
        b"\xff\xfe",
        b"2 exe_01 job_01 wsp_01 1772452800000001 1 receiver.example",
        b"1 exe_01 job_01 wsp_01 soon 1 receiver.example",
        b"1 exe_01 job_01 wsp_01 1772452800000001 first receiver.example",
        b"1 exe_01 job_01 wsp_01 1772452800000001 1",
        b"1 exe_01 job_01 wsp_01 99999999999999999999 1 receiver.example",
        b"1 exe_\x00 job_01 wsp_01 1772452800000001 1 receiver.example",
        b"1 exe_01 job_01 wsp_01 " + b"9" * 5000 + b" 1 receiver.example",
    ],
)
def test_what_is_no_message_of_this_format_is_none(foreign: bytes) -> None:
    assert decode(foreign) is None


def test_an_instant_comes_back_as_it_was() -> None:
    instant = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
    assert decode_instant(encode_instant(instant)) == instant


@pytest.mark.parametrize("foreign", [b"", b"soon", b"\xff", b"9" * 30])
def test_what_is_no_instant_is_none(foreign: bytes) -> None:
    assert decode_instant(foreign) is None


def test_pauses_double_up_to_a_second_and_are_spread() -> None:
    backoff = Backoff(Random(1))
    pauses = [backoff.failed() for _ in range(8)]
    for pause, longest in zip(pauses, [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) == 8


def test_an_answer_makes_the_pauses_short_again() -> None:
    backoff = Backoff(Random(1))
    for _ in range(8):
        backoff.failed()
    backoff.answered()
    assert backoff.failed() <= 0.05


@pytest.mark.parametrize(
    ("ttl", "milliseconds"),
    [
        (timedelta(seconds=1.5), 1500),
        (timedelta(microseconds=1), 1),
        (timedelta(microseconds=1001), 2),
        (timedelta(0), 1),
    ],
)
def test_a_lease_is_never_shorter_than_asked_for(ttl: timedelta, milliseconds: int) -> None:
    assert _milliseconds(ttl) == milliseconds
