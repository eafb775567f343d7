"""Each hostile behaviour ends in its own outcome: at once, or at the deadline and not 250 ms later."""

import asyncio
from collections.abc import Mapping

import psutil
import pytest

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.webhook import Outcome
from tests.integration.sender.hostile import BEHAVIOURS
from tests.integration.sender.requests import post, timed

DEADLINE = 1.0
TOLERANCE = 0.25
CLOCK_STEP = 0.01  # uvloop's timers count whole milliseconds

AT_ONCE = {
    "ten_gigabytes": (Outcome.SUCCEEDED, 200),
    "ten_gigabytes_of_error": (Outcome.HTTP_ERROR, 500),
    "endless_body_without_length": (Outcome.SUCCEEDED, 200),
    "endless_chunks": (Outcome.SUCCEEDED, 200),
    "endless_tiny_chunks": (Outcome.SUCCEEDED, 200),
    "endless_header": (Outcome.PROTOCOL_ERROR, None),
    "endless_headers": (Outcome.PROTOCOL_ERROR, None),
    "ten_thousand_headers": (Outcome.PROTOCOL_ERROR, None),
    "large_headers_then_silence": (Outcome.PROTOCOL_ERROR, None),
    "endless_informational_answers": (Outcome.PROTOCOL_ERROR, None),
    "gzip_bomb": (Outcome.SUCCEEDED, 200),
    "answers_without_reading": (Outcome.SUCCEEDED, 200),
    "closes_at_once": (Outcome.CONNECT_ERROR, None),
    "resets_before_reading": (Outcome.CONNECT_ERROR, None),
    "resets_after_reading": (Outcome.CONNECT_ERROR, None),
    "closes_within_the_headers": (Outcome.CONNECT_ERROR, None),
    "closes_within_the_body": (Outcome.SUCCEEDED, 200),
    "closes_within_the_body_of_an_error": (Outcome.HTTP_ERROR, 500),
    "chunks_are_malformed": (Outcome.SUCCEEDED, 200),
    "chunks_become_malformed": (Outcome.HTTP_ERROR, 500),
    "half_closes": (Outcome.CONNECT_ERROR, None),
    "half_closes_after_reading": (Outcome.CONNECT_ERROR, None),
    "garbage": (Outcome.PROTOCOL_ERROR, None),
    "endless_garbage": (Outcome.PROTOCOL_ERROR, None),
    "speaks_first": (Outcome.PROTOCOL_ERROR, None),
    "answers_before_it_is_asked": (Outcome.PROTOCOL_ERROR, None),
    "two_lengths": (Outcome.PROTOCOL_ERROR, None),
    "switches_protocols": (Outcome.HTTP_ERROR, 101),
    "redirects_to_metadata": (Outcome.HTTP_ERROR, 307),
    "text_that_no_database_takes": (Outcome.HTTP_ERROR, 500),
    "floods_when_idle": (Outcome.SUCCEEDED, 200),
}

AT_THE_DEADLINE = {
    "body_drips": (Outcome.SUCCEEDED, 200),
    "error_drips": (Outcome.HTTP_ERROR, 503),
    "body_stalls": (Outcome.SUCCEEDED, 202),
    "headers_drip": (Outcome.TIMEOUT, None),
    "status_line_drips": (Outcome.TIMEOUT, None),
    "silent": (Outcome.TIMEOUT, None),
    "never_reads": (Outcome.TIMEOUT, None),
}

MORE_THAN_THE_KERNEL_TAKES = b"x" * 8_000_000
large_body = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


def test_every_behaviour_has_its_row() -> None:
    assert AT_ONCE.keys() | AT_THE_DEADLINE.keys() == BEHAVIOURS.keys()


def url_of(ports: Mapping[str, int], behaviour: str) -> str:
    return f"http://127.0.0.1:{ports[behaviour]}/hook"


async def open_connections(port: int) -> list[object]:
    """What is left after the loop has had its turns to close."""
    for _ in range(5):
        await asyncio.sleep(0)
    return [
        connection
        for connection in psutil.Process().net_connections("tcp")
        if getattr(connection.raddr, "port", None) == port and connection.status != psutil.CONN_TIME_WAIT
    ]


@pytest.mark.parametrize(("behaviour", "expected"), AT_ONCE.items())
async def test_ends_at_once(
    sender: AiohttpSender, hostile_ports: Mapping[str, int], behaviour: str, expected: tuple[Outcome, int | None]
) -> None:
    result, took = await timed(sender, post(url_of(hostile_ports, behaviour), seconds=5))
    assert (result.outcome, result.response_status) == expected
    assert took.between(0, 2)
    assert (result.error is None) is (result.outcome is Outcome.SUCCEEDED)
    assert "127.0.0.1" not in (result.error or "")


@pytest.mark.suite("integration")
@large_body
@pytest.mark.parametrize(("behaviour", "expected"), AT_THE_DEADLINE.items())
async def test_ends_at_the_deadline(
    sender: AiohttpSender, hostile_ports: Mapping[str, int], behaviour: str, expected: tuple[Outcome, int | None]
) -> None:
    body = MORE_THAN_THE_KERNEL_TAKES if behaviour == "never_reads" else b"{}"
    request = post(url_of(hostile_ports, behaviour), seconds=DEADLINE, body=body)
    result, took = await timed(sender, request)
    assert (result.outcome, result.response_status) == expected
    assert took.between(DEADLINE - CLOCK_STEP, DEADLINE + TOLERANCE)
    assert await open_connections(hostile_ports[behaviour]) == [], "dropped, even with unsent data"


@pytest.mark.suite("integration")
async def test_what_came_before_the_deadline_is_kept(sender: AiohttpSender, hostile_ports: Mapping[str, int]) -> None:
    stalled = await sender(post(url_of(hostile_ports, "body_stalls"), seconds=DEADLINE))
    assert (stalled.response_body, stalled.response_truncated, stalled.error) == ("hel", True, None)
    dripped = await sender(post(url_of(hostile_ports, "error_drips"), seconds=DEADLINE))
    assert set(dripped.response_body or "") == {"."}
    assert dripped.response_truncated is True
    assert dripped.retry_after is not None


@large_body
async def test_an_answer_without_reading_leaves_no_connection(
    sender: AiohttpSender, hostile_ports: Mapping[str, int]
) -> None:
    request = post(url_of(hostile_ports, "answers_without_reading"), body=MORE_THAN_THE_KERNEL_TAKES)
    assert (await sender(request)).outcome is Outcome.SUCCEEDED
    assert await open_connections(hostile_ports["answers_without_reading"]) == []


async def test_compressed_answers_are_kept_as_they_are(sender: AiohttpSender, hostile_ports: Mapping[str, int]) -> None:
    result = await sender(post(url_of(hostile_ports, "gzip_bomb")))
    assert (result.response_body or "").startswith("\x1f")


async def test_a_redirect_to_a_metadata_service_is_only_written_down(
    sender: AiohttpSender, hostile_ports: Mapping[str, int]
) -> None:
    result = await sender(post(url_of(hostile_ports, "redirects_to_metadata")))
    assert dict(result.response_headers)["location"] == "http://169.254.169.254/latest/"
    assert result.error == "the receiver answered 307; redirects are not followed"


async def test_text_is_made_fit_for_a_database(sender: AiohttpSender, hostile_ports: Mapping[str, int]) -> None:
    result = await sender(post(url_of(hostile_ports, "text_that_no_database_takes")))
    text = (result.response_body or "") + "".join(value for _, value in result.response_headers)
    assert text.encode()
    assert "\0" not in text
