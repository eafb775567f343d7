import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from cronhook_core.backends.clocks import RemoteClock
from cronhook_core.errors import CronhookError, StoreUnavailable
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock

AHEAD = timedelta(minutes=7)


class Server:
    """A server whose clock is ``ahead`` of the node's; its answers take ``seconds``; it may be away."""

    def __init__(self, node: ManualClock) -> None:
        self.ahead = AHEAD
        self.seconds = 0.0
        self.away = False
        self.error: Exception | None = None
        self.asked = 0
        self._node = node

    async def time(self) -> datetime:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        if self.error is not None:
            raise self.error
        await self._node.sleep(self.seconds / 2)
        answer = NOW + timedelta(seconds=self._node.monotonic()) + self.ahead
        await self._node.sleep(self.seconds / 2)
        return answer


@pytest.fixture
def node() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def server(node: ManualClock) -> Server:
    return Server(node)


@pytest.fixture
def clock(node: ManualClock, server: Server) -> RemoteClock:
    return RemoteClock(node, server.time)


async def test_until_the_first_answer_it_shows_the_nodes_time(clock: RemoteClock, server: Server) -> None:
    server.away = True
    with pytest.raises(StoreUnavailable):
        await clock.sync()
    assert clock.now() == NOW


async def test_it_shows_the_servers_time(clock: RemoteClock, node: ManualClock) -> None:
    await clock.sync()
    await node.advance(10)
    assert clock.now() == NOW + AHEAD + timedelta(seconds=10)
    assert clock.now().tzinfo is UTC


async def test_a_step_of_the_nodes_clock_does_not_touch_it(clock: RemoteClock, node: ManualClock) -> None:
    await clock.sync()
    node.step(-3600)
    assert clock.now() == NOW + AHEAD


async def test_after_a_slow_first_answer_it_is_behind_and_not_ahead_until_a_fast_one(
    clock: RemoteClock, node: ManualClock, server: Server
) -> None:
    server.seconds = 2.0
    syncing = asyncio.create_task(clock.sync())
    await node.advance(2.0)
    await syncing
    answered_with = NOW + AHEAD + timedelta(seconds=1)
    assert clock.now() == answered_with
    server.seconds = 0.0
    await clock.sync()
    assert clock.now() == NOW + AHEAD + timedelta(seconds=2)


async def test_it_follows_the_server_and_outlives_its_absence(
    clock: RemoteClock, node: ManualClock, server: Server
) -> None:
    server.away = True
    clock.start()
    clock.start()
    await node.advance(12)
    assert server.asked == 3
    server.away = False
    await node.advance(5)
    assert clock.now() == NOW + AHEAD + timedelta(seconds=17)
    server.ahead += timedelta(seconds=1)
    await node.advance(5)
    assert clock.now() == NOW + AHEAD + timedelta(seconds=23)
    await clock.stop()
    await clock.stop()
    await node.advance(60)
    assert server.asked == 5


async def test_it_outlives_an_error_that_nobody_foresaw(
    clock: RemoteClock, node: ManualClock, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.error = CronhookError("Postgres refused a statement")
    clock.start()
    await node.advance(12)
    server.error = None
    await node.advance(5)
    assert clock.now() == NOW + AHEAD + timedelta(seconds=17)
    assert caplog.text.count("the server's clock cannot be read") == 3
    await clock.stop()


async def test_a_jump_is_alarmed_once_and_taken_over_after_a_minute(
    clock: RemoteClock, node: ManualClock, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    await clock.sync()
    assert clock.refused_jump is None
    caplog.clear()
    clock.start()
    server.ahead += timedelta(hours=1)
    with caplog.at_level(logging.WARNING):
        await node.advance(59)
        assert clock.now() == NOW + AHEAD + timedelta(seconds=59)
        assert clock.refused_jump == timedelta(hours=1)
        assert [record.message for record in caplog.records] == [
            "the server's clock jumped by 1:00:00; not believed until it has stood for a minute"
        ]
        await node.advance(7)
        assert clock.now() == NOW + AHEAD + timedelta(hours=1, seconds=66)
        assert clock.refused_jump is None
        assert caplog.records[-1].message == "the server's clock stays moved by 1:00:00; taken over"
        assert len(caplog.records) == 2
    await clock.stop()


@pytest.mark.parametrize("ahead", [timedelta(hours=2), -timedelta(hours=2)])
async def test_a_server_that_differs_at_first_sight_is_believed_with_a_warning(
    clock: RemoteClock, server: Server, caplog: pytest.LogCaptureFixture, ahead: timedelta
) -> None:
    server.ahead = ahead
    await clock.sync()
    assert (clock.now(), clock.refused_jump) == (NOW + ahead, None)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith(f"the server's clock is {ahead} ahead of this machine's")


async def test_nothing_is_said_of_a_server_that_agrees(
    clock: RemoteClock, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.ahead = timedelta(seconds=5)
    await clock.sync()
    assert caplog.records == []


@pytest.mark.parametrize("ahead", [timedelta(days=365), -timedelta(days=365)])
async def test_a_server_that_differs_much_at_first_sight_is_believed_when_it_has_stood_for_a_minute(
    clock: RemoteClock, node: ManualClock, server: Server, caplog: pytest.LogCaptureFixture, ahead: timedelta
) -> None:
    server.ahead = ahead
    await clock.sync()
    assert (clock.now(), clock.refused_jump) == (NOW, ahead)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.message.startswith(f"the server's clock is {ahead} ahead of this machine's")
    clock.start()
    await node.advance(59)
    assert (clock.now(), clock.refused_jump) == (NOW + timedelta(seconds=59), ahead)
    await node.advance(7)
    assert (clock.now(), clock.refused_jump) == (NOW + ahead + timedelta(seconds=66), None)
    await clock.stop()


async def test_a_jump_of_the_server_that_ends_after_the_first_sight_is_never_believed(
    clock: RemoteClock, node: ManualClock, server: Server
) -> None:
    server.ahead = timedelta(days=365)
    await clock.sync()
    clock.start()
    server.ahead = timedelta(seconds=1)
    await node.advance(6)
    assert (clock.now(), clock.refused_jump) == (NOW + timedelta(seconds=7), None)
    await clock.stop()
