"""What obedient receivers get and what becomes of their answers."""

import asyncio
from datetime import timedelta
from importlib.metadata import version

import pytest

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.webhook import Outcome
from tests.integration.sender.requests import HEADERS, post
from tests.integration.sender.stub_resolver import StubResolver
from tests.receiver import Receiver
from tests.replies import Reply


async def test_the_request_as_it_arrives(sender: AiohttpSender, receiver: Receiver) -> None:
    body = b'{"name": "\xc3\xa9"}'
    result = await sender(post(receiver.url("/hook/a%2Fb?x=%2B&y"), body=body, authorization="Bearer x"))
    assert result.outcome is Outcome.SUCCEEDED
    (arrival,) = receiver.arrivals
    assert (arrival.method, arrival.path, arrival.body) == ("POST", "/hook/a%2Fb?x=%2B&y", body)
    assert dict(arrival.headers) == {
        "host": f"127.0.0.1:{receiver.port}",
        **dict(HEADERS),
        "authorization": "Bearer x",
        "user-agent": f"cronhook/{version('cronhook')}",
        "content-length": str(len(body)),
    }


async def test_headers_of_the_request_win(sender: AiohttpSender, receiver: Receiver) -> None:
    await sender(post(receiver.url(), user_agent="mine/1"))
    assert receiver.arrivals[0].headers["user-agent"] == "mine/1"
    assert receiver.arrivals[0].headers["content-type"] == "application/json"


async def test_an_empty_body(sender: AiohttpSender, receiver: Receiver) -> None:
    assert (await sender(post(receiver.url(), body=b""))).outcome is Outcome.SUCCEEDED
    assert receiver.arrivals[0].headers["content-length"] == "0"


async def test_what_is_kept_of_an_answer(sender: AiohttpSender, receiver: Receiver) -> None:
    receiver.script("/", Reply(status=503, headers={"retry-after": "7", "set-cookie": "a=b"}, body=b"busy"))
    result = await sender(post(receiver.url()))
    assert (result.outcome, result.response_status) == (Outcome.HTTP_ERROR, 503)
    assert result.error == "the receiver answered 503"
    assert result.response_body == "busy"
    assert result.response_headers == (("content-length", "4"), ("content-type", "text/plain"), ("retry-after", "7"))
    assert result.retry_after == timedelta(seconds=7)
    assert not result.permanent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(sender: AiohttpSender, receiver: Receiver, status: int) -> None:
    result = await sender(post(receiver.url(f"/redirect/{status}")))
    assert (result.outcome, result.response_status) == (Outcome.HTTP_ERROR, status)
    assert len(receiver.arrivals) == 1


async def test_bodies_up_to_the_limit_leave_the_connection_usable(sender: AiohttpSender, receiver: Receiver) -> None:
    result = await sender(post(receiver.url(f"/big/{64 * 1024}")))
    assert result.response_body == "." * 4096
    assert result.response_truncated is True
    short = await sender(post(receiver.url("/big/4096")))
    assert short.response_body == "." * 4096
    assert short.response_truncated is False


async def test_cookies_are_not_carried_to_the_next_request(
    sender: AiohttpSender, names: StubResolver, receiver: Receiver
) -> None:
    names.answer("good.test", ["127.0.0.1"])
    receiver.script("/", Reply(headers={"set-cookie": "session=1; Path=/"}))
    for _ in range(2):
        assert (await sender(post(f"http://good.test:{receiver.port}/"))).outcome is Outcome.SUCCEEDED
    assert all("cookie" not in arrival.headers for arrival in receiver.arrivals)


async def test_proxies_of_the_environment_are_ignored(
    sender: AiohttpSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert (await sender(post(receiver.url()))).outcome is Outcome.SUCCEEDED


async def test_many_at_once(sender: AiohttpSender, receiver: Receiver) -> None:
    results = await asyncio.gather(*(sender(post(receiver.url("/echo"), body=b"%d" % n)) for n in range(300)))
    assert [result.response_body for result in results] == [str(n) for n in range(300)]
    assert len(receiver.arrivals) == 300


@pytest.mark.parametrize(
    "headers",
    [
        (("x y", "1"),),
        (("host", "evil.test"),),
        (("content-length", "5"),),
        (("transfer-encoding", "chunked"),),
        (("x", "a\r\nb: c"),),
        (("webhook-id", "a"), ("Webhook-Id", "b")),
    ],
)
async def test_headers_that_may_not_be_sent_fail_for_good(
    sender: AiohttpSender, receiver: Receiver, headers: tuple[tuple[str, str], ...]
) -> None:
    request = post(receiver.url())
    result = await sender(type(request)(url=request.url, headers=headers, body=b"", timeout=request.timeout))
    assert (result.outcome, result.permanent) == (Outcome.BLOCKED, True)
    assert "headers may not be sent" in (result.error or "")
    assert receiver.arrivals == []


async def test_leaving_the_sender_closes_its_resolver(receiver: Receiver) -> None:
    names = StubResolver()
    async with AiohttpSender(AllowedTargets.parse("127.0.0.1"), user_agent="other/1", resolver=names) as sender:
        assert (await sender(post(receiver.url()))).outcome is Outcome.SUCCEEDED
    assert names.closed
    assert receiver.arrivals[0].headers["user-agent"] == "other/1"
