import json

import pytest

from cronhook_core.errors import InvalidRequest
from cronhook_core.wire.strict_json import MAX_DEPTH, MAX_VALUES, parse_json, render_json


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'"\t"', "not JSON"),
        (b'"\x00"', "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        ('{"ä": 1}'.encode("latin-1"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"1e999", "too great"),
        (b"-1e999", "too great"),
        (b"18446744073709551616", "64 bits"),
        (b"-9223372036854775809", "64 bits"),
        (b"9" * 5000, "64 bits"),
        (b'{"a": 1, "a": 1}', "'a' occurs twice"),
        (b'{"a": 1, "\\u0061": 2}', "'a' occurs twice"),
        (b'{"x": {"a": 1, "b": 2, "a": 3}}', "'a' occurs twice"),
        (b"[" * 40_000, "nested deeper"),
        (b'{"a":' * 40_000, "nested deeper"),
    ],
)
def test_refuses(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'"\u0000"', ""),
        (rb'{"payload": {"a": ["x", "b\u0000"]}}', "/payload/a/1"),
        (rb'{"payload": {"a/~": "\ud800"}}', "/payload/a~1~0"),
        (rb'{"payload": {"\u0000": 1}}', "/payload"),
        (rb'{"payload": {"\udfff": 1}}', "/payload"),
        (rb'["\udc00\ud800"]', "/0"),
    ],
)
def test_names_the_place_of_text_that_no_database_keeps(body: bytes, pointer: str) -> None:
    with pytest.raises(InvalidRequest, match="text contains no") as refused:
        parse_json(body)
    assert refused.value.pointer == pointer


def test_the_reason_never_repeats_what_cannot_be_encoded() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(rb'{"\ud800": 1, "\ud800": 2}')
    assert str(refused.value).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b" [1, 2.5, -0, 1e3, true] \n",
        b"18446744073709551615",
        b"-9223372036854775808",
        '{"ä": "\U0001f600"}'.encode(),
        rb'"\ud83d\ude00"',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
    ],
)
def test_reads_what_the_standard_library_reads(body: bytes) -> None:
    assert parse_json(body) == json.loads(body)


def test_one_level_more_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="32 levels"):
        parse_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_renders_compact_utf_8_in_order() -> None:
    assert render_json({"b": "ä", "a": [1, None, 2.5]}) == '{"b":"ä","a":[1,null,2.5]}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join([b"0"] * (MAX_VALUES - 1)) + b"]",
        b"[" + b",".join([b"[ ]"] * (MAX_VALUES - 1)) + b"]",
        b'{"a": [' + b",".join([b'{"b": {}}'] * (MAX_VALUES // 2 - 1)) + b"]}",
        b'["' + b",[{" * MAX_VALUES + rb"\"," + b'"]',
    ],
    ids=["numbers", "empty arrays", "objects", "a long text"],
)
def test_a_body_may_have_so_many_values(body: bytes) -> None:
    assert parse_json(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join([b"0"] * MAX_VALUES) + b"]",
        b"{" + b",".join(b'"%d":{}' % n for n in range(MAX_VALUES)) + b"}",
        b"[" + b",".join([b"[" * 9 + b"]" * 9] * (MAX_VALUES // 9 + 1)) + b"]",
        b'["a",' * MAX_VALUES,
    ],
    ids=["numbers", "fields", "arrays within arrays", "no JSON"],
)
def test_a_body_of_more_values_is_refused_before_it_is_decoded(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cronhook_core.wire.strict_json._DECODER", None)
    with pytest.raises(InvalidRequest, match="more than 50000 JSON values"):
        parse_json(body)


def test_texts_that_do_not_end_are_counted_in_one_pass() -> None:
    with pytest.raises(InvalidRequest, match="not JSON"):
        parse_json(b'"' + rb"\"," * MAX_VALUES)


def test_of_texts_that_no_database_keeps_the_first_fifty_are_told() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(b"[" + b",".join([rb'"\u0000"'] * 1000) + b"]")
    assert [pointer for pointer, _ in refused.value.problems] == [f"/{n}" for n in range(50)]
