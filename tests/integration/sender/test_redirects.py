"""Redirects lead nowhere: whatever a receiver writes into ``location``, one request is made, and to it alone."""

import asyncio

import pytest

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.webhook import Outcome
from tests.integration.sender.connections import Connects
from tests.integration.sender.requests import post
from tests.integration.sender.stub_resolver import StubResolver
from tests.receiver import Receiver
from tests.replies import Reply
from tests.unit.targets.urls import ALLOWED, REFUSED

LOCATIONS = [url for url in [*REFUSED, *ALLOWED] if url.isascii() and url.isprintable() and len(url) < 2000]


def test_most_of_the_table_can_be_written_into_a_header() -> None:
    assert len(LOCATIONS) >= 130


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(
    sender: AiohttpSender, receiver: Receiver, connects: Connects, names: StubResolver, status: int
) -> None:
    for number, location in enumerate(LOCATIONS):
        receiver.script(f"/{number}", Reply(status=status, headers={"location": location}))
    results = await asyncio.gather(*(sender(post(receiver.url(f"/{n}"), seconds=10)) for n in range(len(LOCATIONS))))
    assert {(result.outcome, result.response_status) for result in results} == {(Outcome.HTTP_ERROR, status)}
    assert {result.error for result in results} == {f"the receiver answered {status}; redirects are not followed"}
    assert len(receiver.arrivals) == len(LOCATIONS)
    assert set(connects.targets) == {("127.0.0.1", receiver.port)}
    assert names.lookups.total() == 0


async def test_headers_that_would_reload_are_not_followed(sender: AiohttpSender, receiver: Receiver) -> None:
    headers = {
        "refresh": "0; url=http://127.0.0.1/",
        "content-location": "http://127.0.0.1/",
        "link": "<http://[::1]/>",
    }
    receiver.script("/", Reply(status=200, headers=headers))
    assert (await sender(post(receiver.url("/")))).outcome is Outcome.SUCCEEDED
    assert len(receiver.arrivals) == 1
