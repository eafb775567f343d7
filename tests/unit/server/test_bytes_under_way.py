"""Bytes under way: what does not fit waits its turn, and one key's requests do not take all the room."""

import asyncio
from typing import Any

import pytest

from cronhook_core.errors import Overloaded, RateLimited
from cronhook_core.testing.manual_clock import settle
from cronhook_server import bytes_under_way
from cronhook_server.bytes_under_way import ByteMeter, BytesUnderWay
from cronhook_server.request_scope import HELD, Receive, Scope, Send


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytes_under_way, "WAIT_SECONDS", 0.01)


@pytest.fixture
def under_way() -> BytesUnderWay:
    return BytesUnderWay(at_most=100, per_key=60)


async def takes(under_way: BytesUnderWay, key_id: str, size: int) -> bool:
    """Whether it has room at once."""
    taking = asyncio.create_task(under_way.take(key_id, size))
    await settle()
    if taking.done():
        await taking
        return True
    taking.cancel()
    await settle()
    return False


async def test_what_does_not_fit_waits_until_there_is_room(under_way: BytesUnderWay) -> None:
    await under_way.take("key_a", 60)
    await under_way.take("key_b", 30)
    waiting = asyncio.create_task(under_way.take("key_c", 20))
    await settle()
    assert not waiting.done()
    under_way.add("key_b", -15)
    await waiting
    assert not await takes(under_way, "key_c", 6)
    assert await takes(under_way, "key_c", 5)


async def test_a_large_request_is_not_passed_by_small_ones(under_way: BytesUnderWay) -> None:
    await under_way.take("key_a", 60)
    large = asyncio.create_task(under_way.take("key_b", 50))
    await settle()
    assert not await takes(under_way, "key_c", 5)
    under_way.add("key_a", -60)
    await large
    assert await takes(under_way, "key_c", 5)


async def test_a_key_that_holds_its_part_waits_and_others_pass_it(under_way: BytesUnderWay) -> None:
    await under_way.take("key_a", 60)
    greedy = asyncio.create_task(under_way.take("key_a", 10))
    await settle()
    assert await takes(under_way, "key_b", 30)
    assert not greedy.done()
    under_way.add("key_a", -10)
    await greedy


@pytest.mark.usefixtures("soon")
async def test_who_waits_too_long_is_refused_and_holds_nothing(under_way: BytesUnderWay) -> None:
    await under_way.take("key_a", 60)
    with pytest.raises(RateLimited, match="this API key"):
        await under_way.take("key_a", 10)
    await under_way.take("key_b", 40)
    with pytest.raises(Overloaded, match="as fit in memory"):
        await under_way.take("key_c", 10)
    under_way.add("key_b", -40)
    assert await takes(under_way, "key_c", 40)


async def test_a_turn_that_comes_as_its_request_is_cancelled_is_given_back(under_way: BytesUnderWay) -> None:
    await under_way.take("key_a", 60)
    waiting = asyncio.create_task(under_way.take("key_b", 50))
    await settle()
    under_way.add("key_a", -60)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await takes(under_way, "key_c", 60)
    assert await takes(under_way, "key_d", 40)


async def test_a_request_frees_what_it_held_also_when_it_fails(under_way: BytesUnderWay) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await scope[HELD].grow("key_a", 60)
        assert not await takes(under_way, "key_a", 1)
        scope[HELD].keep(40)
        assert not await takes(under_way, "key_a", 21)
        scope[HELD].keep(90)
        assert not await takes(under_way, "key_b", 11)
        raise ValueError("seen")

    with pytest.raises(ValueError, match="seen"):
        await ByteMeter(app, under_way)({}, _never, _never)
    assert await takes(under_way, "key_a", 60)
    assert await takes(under_way, "key_b", 40)


async def _never(*_: Any) -> Any:
    raise AssertionError("it was not to be called")
