"""A queue that hangs: nobody waits for what others are told."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import QueueUnavailable
from cronhook_core.testing.builders import NOW, make_execution, make_job
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.prompt_queue import PromptQueue

MESSAGE = QueueMessage.of(make_execution(make_job("wsp_1")))


class SlowQueue(MemoryQueue):
    """Takes nothing before it goes on, and then refuses it if it has an error."""

    def __init__(self) -> None:
        super().__init__(ManualClock(NOW))
        self.goes_on = asyncio.Event()
        self.error: Exception | None = None
        self.announced: list[datetime] = []
        self.asked = self.answered = 0

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        await self._answer()
        await super().push(messages, now)

    async def announce(self, due_at: datetime) -> None:
        await self._answer()
        self.announced.append(due_at)

    async def _answer(self) -> None:
        self.asked += 1
        await self.goes_on.wait()
        self.answered += 1
        if self.error is not None:
            raise self.error


async def goes_on(queue: SlowQueue) -> None:
    """Returns when nothing is being told any more."""
    queue.goes_on.set()
    while queue.asked > queue.answered:
        await asyncio.sleep(0)


async def test_what_answers_has_been_told() -> None:
    queue = SlowQueue()
    queue.goes_on.set()
    prompt = PromptQueue(queue)
    await prompt.push([MESSAGE], NOW)
    await prompt.announce(NOW)
    assert (await prompt.depth(), queue.announced) == (1, [NOW])


async def test_what_hangs_is_told_when_it_goes_on() -> None:
    queue = SlowQueue()
    prompt = PromptQueue(queue)
    await prompt.push([MESSAGE], NOW)
    await prompt.announce(NOW)
    assert (await prompt.depth(), queue.announced, queue.asked) == (0, [], 2)
    await goes_on(queue)
    assert (await prompt.depth(), queue.announced) == (1, [NOW])


@pytest.mark.parametrize("hangs", [False, True])
async def test_that_it_is_away_is_no_error(hangs: bool) -> None:
    queue = SlowQueue()
    queue.error = QueueUnavailable("the queue is away")
    if not hangs:
        queue.goes_on.set()
    prompt = PromptQueue(queue)
    await prompt.push([MESSAGE], NOW)
    await prompt.announce(NOW)
    await goes_on(queue)
    assert (await prompt.depth(), queue.answered) == (0, 2)


async def test_what_nobody_foresaw_comes_out() -> None:
    queue = SlowQueue()
    queue.error = ValueError("unforeseen")
    queue.goes_on.set()
    with pytest.raises(ValueError, match="unforeseen"):
        await PromptQueue(queue).announce(NOW)
