import copy
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from attrs import field, frozen

from cronhook_core.errors import InvalidCron, InvalidRequest, InvalidRunAt, InvalidTimezone
from cronhook_core.wire.converter import read_request, read_response, to_json
from cronhook_core.wire.v1 import JobWrite


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Inner:
    number: int


@frozen(kw_only=True)
class Outer:
    text: str
    flag: bool = False
    ratio: float = 1.0
    at: datetime | None = None
    colour: Colour | None = None
    numbers: tuple[int, ...] = ()
    words: Mapping[str, str] = field(factory=dict)
    inner: Inner | None = None
    anything: Any = None


def problems_of(value: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        read_request(value, Outer)
    assert refused.value.pointer in dict(refused.value.problems) | {"": ""}
    return dict(refused.value.problems)


def test_there_and_back() -> None:
    value = {
        "text": "ä",
        "flag": True,
        "ratio": 2,
        "at": "2030-01-01T00:00:00Z",
        "colour": "blue",
        "numbers": [1, 2],
        "words": {"a": "b"},
        "inner": {"number": 3},
        "anything": [{"x": None}],
    }
    read = read_request(value, Outer)
    assert read.at == datetime(2030, 1, 1, tzinfo=UTC)
    assert (read.colour, read.numbers, read.inner) == (Colour.BLUE, (1, 2), Inner(number=3))
    assert to_json(read) == value


@pytest.mark.parametrize(
    ("value", "pointer", "reason"),
    [
        ([], "", "must be an object, not an array"),
        (None, "", "must be an object, not null"),
        ({}, "/text", "is required"),
        ({"text": None}, "/text", "must be text, not null"),
        ({"text": 1}, "/text", "must be text, not a number"),
        ({"text": "", "flag": 1}, "/flag", "must be true or false, not a number"),
        ({"text": "", "ratio": "1"}, "/ratio", "must be a number, not text"),
        ({"text": "", "ratio": True}, "/ratio", "must be a number, not true or false"),
        ({"text": "", "at": 1}, "/at", "must be text, not a number"),
        ({"text": "", "at": "tomorrow"}, "/at", "must be an instant like"),
        ({"text": "", "colour": "green"}, "/colour", "must be one of red, blue"),
        ({"text": "", "colour": ["red"]}, "/colour", "must be text, not an array"),
        ({"text": "", "numbers": "12"}, "/numbers", "must be an array, not text"),
        ({"text": "", "numbers": {"1": 2}}, "/numbers", "must be an array, not an object"),
        ({"text": "", "numbers": [1, "2"]}, "/numbers/1", "must be an integer, not text"),
        ({"text": "", "numbers": [True]}, "/numbers/0", "must be an integer, not true or false"),
        ({"text": "", "numbers": [1.5]}, "/numbers/0", "must be an integer, not a number"),
        ({"text": "", "words": []}, "/words", "must be an object, not an array"),
        ({"text": "", "words": {"a/b~": 1}}, "/words/a~1b~0", "must be text, not a number"),
        ({"text": "", "inner": {}}, "/inner/number", "is required"),
        ({"text": "", "inner": {"number": 1, "n": 2}}, "/inner/n", "there is no such field"),
        ({"text": "", "Text": ""}, "/Text", "there is no such field"),
        ({"text": "", "x" * 1000: ""}, "", "there is no such field"),
    ],
)
def test_refuses(value: object, pointer: str, reason: str) -> None:
    found = problems_of(value)
    assert list(found) == [pointer]
    assert reason in found[pointer]


def test_an_integer_is_one_however_it_is_written() -> None:
    assert read_request({"text": "", "numbers": [1.0, 2e1, 3]}, Outer).numbers == (1, 20, 3)


def test_tells_all_problems_at_once() -> None:
    found = problems_of({"flag": "yes", "numbers": [None, 1, {}], "words": {"a": 1, "b": "c"}, "colour": "", "y": 1})
    assert set(found) == {"/text", "/flag", "/numbers/0", "/numbers/2", "/words/a", "/colour", "/y"}


def test_a_response_may_hold_fields_that_this_version_does_not_know() -> None:
    assert read_response({"text": "", "new": 1, "inner": {"number": 1, "new": 2}}, Outer).inner == Inner(number=1)


def test_a_response_may_hold_words_that_this_version_does_not_know() -> None:
    green = read_response({"text": "", "colour": "green"}, Outer).colour
    assert isinstance(green, Colour)
    assert green == "green" == green.value == str(green) == f"{green}"
    assert green not in list(Colour)
    assert green != Colour.RED
    assert repr(green) == "<Colour.GREEN: 'green'>"
    assert {green: 1}["green"] == 1
    assert copy.deepcopy(green) == green
    assert to_json(Outer(text="", colour=green))["colour"] == "green"
    assert pickle.loads(pickle.dumps([green, Colour.BLUE, Colour("blue")])) == ["green", Colour.BLUE, Colour.BLUE]
    assert pickle.loads(pickle.dumps(Colour.BLUE)) is Colour.BLUE
    assert type(copy.deepcopy(green)) is Colour
    assert read_response({"text": "", "colour": "blue"}, Outer).colour is Colour.BLUE
    with pytest.raises(InvalidRequest, match="must be text"):
        read_response({"text": "", "colour": 1}, Outer)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"run_at": "yesterday"}, InvalidRunAt),
        ({"cron": 5}, InvalidCron),
        ({"timezone": 5}, InvalidTimezone),
        ({"timezone": 5, "name": 5}, InvalidRequest),
    ],
)
def test_the_kind_of_error_is_that_of_the_only_field(changes: dict[str, object], kind: type[InvalidRequest]) -> None:
    body = {"name": "a", "callback_url": "https://example.com/"} | changes
    with pytest.raises(InvalidRequest) as refused:
        read_request(body, JobWrite)
    assert type(refused.value) is kind
    assert {f"/{name}" for name in changes} == {pointer for pointer, _ in refused.value.problems}


@pytest.mark.parametrize(
    "fields",
    [{"tags": ["x"] * 1001}, {"tags": [1] * 400_000}, {"headers": {str(n): 1 for n in range(60_000)}}],
    ids=["just too many", "many wrong", "many wrong headers"],
)
def test_too_many_items_are_refused_before_any_is_looked_at(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="nothing here has more than 1000") as refusal:
        read_request({"name": "a", "cron": "0 9 * * *", "callback_url": "https://good.test/"} | fields, JobWrite)
    assert len(refusal.value.problems) == 1


def test_of_wrong_items_the_first_fifty_are_told() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request(
            {"name": "a", "cron": "0 9 * * *", "callback_url": "https://good.test/", "tags": [1] * 1000}, JobWrite
        )
    assert [pointer for pointer, _ in refusal.value.problems] == [f"/tags/{n}" for n in range(50)]


def test_an_object_of_mostly_unknown_fields_is_refused_in_one_sentence() -> None:
    found = problems_of({"text": "", "inner": {f"field{n}": n for n in range(60_000)}})
    assert found == {
        "/inner": "has 60000 unknown fields; its fields are number",
        "/inner/number": "is required",
    }


def test_of_all_problems_the_first_fifty_are_told() -> None:
    job = {"name": 1, "tags": [1] * 45, "retry_delays_seconds": ["x"] * 45, "headers": {str(n): 1 for n in range(45)}}
    with pytest.raises(InvalidRequest) as refusal:
        read_request({"cron": "0 9 * * *", "callback_url": "https://good.test/"} | job, JobWrite)
    assert len(refusal.value.problems) == 50
