from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from cronhook_core.domain.execution import Execution, QueueMessage
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.queue import Queue
from cronhook_core.testing.builders import NOW, make_execution, make_job, make_workspace
from cronhook_core.testing.elapsing import Elapse, let_finish, soon

LATER = NOW + timedelta(hours=1)
"""When all messages are pushed and popped: their executions have become available."""
AT_ONCE = timedelta(0)
LONG = timedelta(minutes=10)


class Messages:
    """Makes messages whose executions are queued in the store, in the order of their instants."""

    def __init__(self, store: JobStore, accounts: AccountStore) -> None:
        self._store = store
        self._accounts = accounts
        self._made = 0

    async def __call__(self, count: int, host: str = "receiver.example") -> list[QueueMessage]:
        workspace = await self._accounts.ensure_workspace(make_workspace())
        job = make_job(workspace.id, host=host)
        await self._store.create_job(job, max_jobs=None, now=NOW)
        return [await self._queued(make_execution(job, at=self._next_instant())) for _ in range(count)]

    async def _queued(self, execution: Execution) -> QueueMessage:
        await self._store.add_execution(execution, now=NOW)
        return QueueMessage.of(execution)

    def _next_instant(self) -> datetime:
        self._made += 1
        return NOW + self._made * timedelta(milliseconds=1, microseconds=1)


class QueueContract:
    """What every `Queue` keeps while nothing fails.

    The subclass provides the fixtures ``queue`` (empty), ``other_queue`` (the same queue as another node sees it; one
    object where there is one process only), ``small_queue`` (empty, with room for ``small_bound`` messages), ``store``
    and ``accounts`` (a store beside the queue: only executions that it holds are pushed), ``clock`` (what timeouts are
    measured by) and ``elapse`` (see `Elapse`). ``small_bound`` is None for a queue without a bound.
    ``lost_by_cancelling`` is how many messages that are pushed after a waiting `pop` was cancelled may still go to it.
    ``propagation`` is how many seconds an announcement is under way at most.
    """

    small_bound: int | None = 10
    lost_by_cancelling = 0
    propagation = 0.0

    @pytest.fixture
    def messages(self, store: JobStore, accounts: AccountStore) -> Messages:
        return Messages(store, accounts)

    async def test_what_was_pushed_is_popped_oldest_first(
        self, queue: Queue, other_queue: Queue, messages: Messages
    ) -> None:
        pushed = await messages(5)
        await queue.push(pushed[:3], LATER)
        await queue.push(pushed[3:], LATER)
        assert list(await other_queue.pop(10, AT_ONCE, LATER)) == pushed

    async def test_every_field_arrives(self, queue: Queue, messages: Messages) -> None:
        for host in ("receiver.example", "xn--bcher-kva.example", "[2001:db8::1]", "192.0.2.1"):
            pushed = await messages(1, host)
            await queue.push(pushed, LATER)
            assert list(await queue.pop(1, AT_ONCE, LATER)) == pushed

    async def test_pushing_nothing_is_harmless(self, queue: Queue) -> None:
        await queue.push([], LATER)
        assert await queue.depth() == 0

    async def test_a_pop_takes_no_more_than_its_limit(self, queue: Queue, messages: Messages) -> None:
        pushed = await messages(5)
        await queue.push(pushed, LATER)
        assert list(await queue.pop(2, AT_ONCE, LATER)) == pushed[:2]
        assert list(await queue.pop(1, LONG, LATER)) == pushed[2:3]
        assert list(await queue.pop(10, AT_ONCE, LATER)) == pushed[3:]

    async def test_what_was_popped_is_gone(self, queue: Queue, other_queue: Queue, messages: Messages) -> None:
        await queue.push(await messages(3), LATER)
        await queue.pop(3, AT_ONCE, LATER)
        assert list(await other_queue.pop(3, AT_ONCE, LATER)) == []

    async def test_depth_counts_what_could_be_popped(self, queue: Queue, messages: Messages) -> None:
        assert await queue.depth() == 0
        await queue.push(await messages(3), LATER)
        assert await queue.depth() == 3
        await queue.pop(2, AT_ONCE, LATER)
        assert await queue.depth() == 1

    async def test_an_empty_queue_without_a_timeout_answers_at_once(self, queue: Queue) -> None:
        assert list(await soon(asyncio.create_task(queue.pop(5, AT_ONCE, LATER)))) == []

    async def test_an_empty_queue_answers_after_the_timeout(self, queue: Queue, clock: Clock, elapse: Elapse) -> None:
        before = clock.monotonic()
        popping = asyncio.create_task(queue.pop(5, timedelta(seconds=0.3), LATER))
        assert list(await let_finish(popping, elapse, at_most=5.0)) == []
        assert clock.monotonic() - before >= 0.29

    async def test_a_waiting_pop_gets_what_is_pushed(
        self, queue: Queue, other_queue: Queue, messages: Messages, elapse: Elapse
    ) -> None:
        pushed = await messages(1)
        popping = asyncio.create_task(queue.pop(5, LONG, LATER))
        await elapse(0.1)
        assert not popping.done()
        await other_queue.push(pushed, LATER)
        assert list(await soon(popping)) == pushed

    async def test_a_pop_waits_for_the_first_message_only(self, queue: Queue, messages: Messages) -> None:
        pushed = await messages(2)
        await queue.push(pushed, LATER)
        assert list(await soon(asyncio.create_task(queue.pop(100, LONG, LATER)))) == pushed

    async def test_beyond_the_bound_the_oldest_are_dropped(self, small_queue: Queue, messages: Messages) -> None:
        pushed = await messages(25)
        kept = pushed if self.small_bound is None else pushed[-self.small_bound :]
        await small_queue.push(pushed[:3], LATER)
        await small_queue.push(pushed[3:24], LATER)
        await small_queue.push(pushed[24:], LATER)
        assert await small_queue.depth() == len(kept)
        assert list(await small_queue.pop(100, AT_ONCE, LATER)) == kept

    async def test_four_poppers_get_each_message_once(
        self, queue: Queue, other_queue: Queue, messages: Messages
    ) -> None:
        pushed = await messages(1000)

        async def pop_all(node: Queue) -> list[QueueMessage]:
            got: list[QueueMessage] = []
            while taken := await node.pop(7, AT_ONCE, LATER):
                got.extend(taken)
            return got

        await queue.push(pushed, LATER)
        got = await asyncio.gather(*(pop_all(node) for node in (queue, other_queue, queue, other_queue)))
        ids = [message.execution_id for part in got for message in part]
        assert sorted(ids) == sorted(message.execution_id for message in pushed)

    async def test_waiting_poppers_share_what_is_pushed(
        self, queue: Queue, other_queue: Queue, messages: Messages, elapse: Elapse
    ) -> None:
        pushed = await messages(4)
        popping = [asyncio.create_task(node.pop(1, LONG, LATER)) for node in (queue, other_queue, queue, other_queue)]
        await elapse(0.1)
        await queue.push(pushed, LATER)
        got = [message for task in popping for message in await soon(task)]
        assert sorted(message.execution_id for message in got) == [message.execution_id for message in pushed]

    async def test_a_cancelled_pop_leaves_what_is_pushed_later_to_others(
        self, queue: Queue, other_queue: Queue, messages: Messages, elapse: Elapse
    ) -> None:
        pushed = await messages(5)
        await cancelled(asyncio.create_task(queue.pop(5, LONG, LATER)), elapse)
        await other_queue.push(pushed, LATER)
        got = list(await queue.pop(10, AT_ONCE, LATER))
        assert got == pushed[len(pushed) - len(got) :]
        assert len(got) >= len(pushed) - self.lost_by_cancelling

    async def test_pops_cancelled_at_any_moment_double_nothing(self, queue: Queue, messages: Messages) -> None:
        pushed = await messages(60)
        got: list[QueueMessage] = []
        for turn in range(20):
            popping = asyncio.create_task(queue.pop(3, LONG, LATER))
            await queue.push(pushed[turn * 3 : turn * 3 + 3], LATER)
            for _ in range(turn):
                await asyncio.sleep(0)
            popping.cancel()
            await asyncio.wait([popping])
            got.extend([] if popping.cancelled() else popping.result())
        got.extend(await queue.pop(100, AT_ONCE, LATER))
        ids = [message.execution_id for message in got]
        assert len(ids) == len(set(ids))
        assert set(got) <= set(pushed)

    async def test_an_announcement_wakes_every_waiting_planner(
        self, queue: Queue, other_queue: Queue, elapse: Elapse
    ) -> None:
        waiting = [asyncio.create_task(node.wait(LONG)) for node in (queue, other_queue)]
        await elapse(self.propagation)
        assert not any(task.done() for task in waiting)
        await queue.announce(LATER)
        assert [await soon(task) for task in waiting] == [LATER, LATER]

    async def test_waiting_ends_after_its_timeout(self, queue: Queue, clock: Clock, elapse: Elapse) -> None:
        before = clock.monotonic()
        waiting = asyncio.create_task(queue.wait(timedelta(seconds=0.3)))
        assert await let_finish(waiting, elapse, at_most=5.0) is None
        assert clock.monotonic() - before >= 0.29

    async def test_what_was_announced_between_two_waits_is_not_missed(
        self, queue: Queue, other_queue: Queue, elapse: Elapse
    ) -> None:
        async def wait_twice(first_wait_ended: asyncio.Event, go_on: asyncio.Event) -> Sequence[datetime | None]:
            first = await queue.wait(LONG)
            first_wait_ended.set()
            await go_on.wait()
            return first, await queue.wait(LONG)

        ended, go_on = asyncio.Event(), asyncio.Event()
        planner = asyncio.create_task(wait_twice(ended, go_on))
        await elapse(self.propagation)
        await other_queue.announce(LATER)
        await ended.wait()
        await other_queue.announce(LATER + timedelta(seconds=2))
        await other_queue.announce(LATER + timedelta(seconds=1, microseconds=1))
        await other_queue.announce(LATER + timedelta(seconds=3))
        await elapse(self.propagation)
        go_on.set()
        assert list(await soon(planner)) == [LATER, LATER + timedelta(seconds=1, microseconds=1)]

    async def test_an_announcement_is_told_once(
        self, queue: Queue, other_queue: Queue, clock: Clock, elapse: Elapse
    ) -> None:
        async def wait_twice() -> tuple[datetime | None, datetime | None, float]:
            first = await queue.wait(LONG)
            before = clock.monotonic()
            return first, await queue.wait(timedelta(seconds=0.3)), clock.monotonic() - before

        planner = asyncio.create_task(wait_twice())
        await elapse(self.propagation)
        await other_queue.announce(LATER)
        first, second, waited = await let_finish(planner, elapse, at_most=5.0)
        assert (first, second) == (LATER, None)
        assert waited >= 0.29

    async def test_what_was_announced_before_the_first_wait_is_not_told(self, queue: Queue, elapse: Elapse) -> None:
        await queue.announce(LATER)
        await elapse(self.propagation)
        waiting = asyncio.create_task(queue.wait(timedelta(seconds=0.2)))
        assert await let_finish(waiting, elapse, at_most=5.0) is None

    async def test_a_cancelled_wait_disturbs_no_other(self, queue: Queue, elapse: Elapse) -> None:
        first, second = asyncio.create_task(queue.wait(LONG)), asyncio.create_task(queue.wait(LONG))
        await elapse(self.propagation)
        await cancelled(first, elapse)
        await queue.announce(LATER)
        assert await soon(second) == LATER


async def cancelled(task: asyncio.Task[Any], elapse: Elapse) -> None:
    """Cancel what waits since a moment, and see that it lets itself be cancelled."""
    await elapse(0.1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
