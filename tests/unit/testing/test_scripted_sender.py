import asyncio
from datetime import timedelta

import pytest

from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.testing.manual_clock import settle
from cronhook_core.testing.scripted_sender import ScriptedSender


def request(url: str = "https://receiver.example/") -> WebhookRequest:
    return WebhookRequest(url=url, headers=(), body=b"null", timeout=timedelta(seconds=10))


async def test_answers_come_in_order_and_then_by_default() -> None:
    timeout = WebhookResult(outcome=Outcome.TIMEOUT, error="no answer within 10 s")
    sender = ScriptedSender(500, timeout, default=204)
    results = [await sender(request()) for _ in range(4)]
    assert [result.response_status for result in results] == [500, None, 204, 204]
    assert [result.outcome for result in results] == [
        Outcome.HTTP_ERROR,
        Outcome.TIMEOUT,
        Outcome.SUCCEEDED,
        Outcome.SUCCEEDED,
    ]
    assert len(sender.requests) == 4


async def test_answers_for_a_url_come_first() -> None:
    sender = ScriptedSender(500)
    sender.on("https://other.example/", 410)
    assert (await sender(request("https://other.example/"))).response_status == 410
    assert (await sender(request("https://other.example/"))).response_status == 500
    assert (await sender(request())).response_status == 200


async def test_it_can_break_the_contract_of_senders() -> None:
    with pytest.raises(RuntimeError, match="broken"):
        await ScriptedSender(RuntimeError("broken"))(request())


async def test_held_requests_are_answered_when_told() -> None:
    sender = ScriptedSender()
    sender.hold("https://slow.example/")
    slow = [asyncio.create_task(sender(request("https://slow.example/"))) for _ in range(2)]
    assert len(await sender.wait_for(2)) == 2
    assert (await sender(request())).outcome is Outcome.SUCCEEDED
    assert (sender.in_flight, any(task.done() for task in slow)) == (2, False)
    sender.let_go("https://slow.example/")
    assert [(await task).outcome for task in slow] == [Outcome.SUCCEEDED] * 2
    assert sender.in_flight == 0
    assert (await sender(request("https://slow.example/"))).outcome is Outcome.SUCCEEDED


async def test_all_requests_can_be_held_and_cancelled() -> None:
    sender = ScriptedSender()
    sender.hold()
    sending = asyncio.create_task(sender(request()))
    await settle()
    sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled()
    assert (sender.cancelled, sender.in_flight) == (sender.requests, 0)
    sender.let_go()
    sender.let_go()


async def test_requests_that_do_not_come_are_told() -> None:
    with pytest.raises(AssertionError, match="no 1 requests"):
        await ScriptedSender().wait_for(1, within=0.01)
