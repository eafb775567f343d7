"""How values are written on the command line."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cronhook_server.cli.api_failure import option_of
from cronhook_server.cli.arguments import read_delays, read_duration, read_header, read_pair, read_payload


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), (" 0 ", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


def test_delays() -> None:
    assert read_delays("30,2m,1h") == (30, 120, 3600)
    assert read_delays("none") == ()


def test_headers_and_pairs() -> None:
    assert read_header("X-A:  b: c ") == ("X-A", "b: c")
    assert read_pair("k=v=w") == ("k", "v=w")
    assert read_pair("k=") == ("k", "")


def test_payloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "p").write_text('{"a": 1}')
    assert read_payload("null").value is None
    assert read_payload("[1, 2]").value == [1, 2]
    assert read_payload(f"@{tmp_path / 'p'}").value == {"a": 1}
    for dash in ("-", "@-"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO('"é"'.encode())))
        assert read_payload(dash).value == "é"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_duration, "soon"),
        (read_duration, "-5"),
        (read_duration, "5 m"),
        (read_duration, "1e3"),
        (read_duration, "٣"),
        (read_delays, "30,,60"),
        (read_delays, ""),
        (read_header, "no colon"),
        (read_header, ": value"),
        (read_pair, "nothing"),
        (read_pair, "=v"),
        (read_payload, "hello"),
        (read_payload, ""),
        (read_payload, "NaN"),
        (read_payload, '{"a": 1, "a": 2}'),
        (read_payload, "@/no/such/file"),
    ],
)
def test_what_cannot_be_read(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(text)


@pytest.mark.parametrize(
    ("pointer", "option"),
    [
        ("/cron", "--cron"),
        ("/run_at", "--run-at"),
        ("/callback_url", "--url"),
        ("/headers/x-a", "--header x-a"),
        ("/headers/a~1b", "--header a/b"),
        ("/retry_delays_seconds/1", "--retry-delays (2 in the list)"),
        ("/tags/0", "--tag (1 in the list)"),
        ("/metadata/0", "--metadata 0"),
        ("/payload/a/0", "--payload a/0"),
        ("/timeout_seconds", "--timeout"),
    ],
)
def test_the_option_of_a_field(pointer: str, option: str) -> None:
    assert option_of(pointer) == option
