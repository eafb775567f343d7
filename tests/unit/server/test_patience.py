"""Whoever asks a backend that says nothing is not kept waiting."""

import asyncio
from typing import Any

import pytest

from cronhook_core.errors import StoreUnavailable
from cronhook_server.patience import within


@pytest.fixture
async def unforeseen() -> list[dict[str, Any]]:
    """What the event loop is told of."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return told


class Backend:
    """Answers when it is let, or fails with its error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.answers = asyncio.Event()
        self.ended = asyncio.Event()
        self._error = error

    async def ask(self) -> str:
        try:
            await self.answers.wait()
            if self._error is not None:
                raise self._error
            return "an answer"
        finally:
            self.ended.set()


async def test_an_answer_in_time() -> None:
    backend = Backend()
    backend.answers.set()
    assert await within(5, backend.ask()) == "an answer"


async def test_a_failure_in_time() -> None:
    backend = Backend(StoreUnavailable("away"))
    backend.answers.set()
    with pytest.raises(StoreUnavailable):
        await within(5, backend.ask())


@pytest.mark.parametrize("error", [None, StoreUnavailable("away")])
async def test_what_takes_too_long_goes_on(error: Exception | None, unforeseen: list[dict[str, Any]]) -> None:
    backend = Backend(error)
    with pytest.raises(TimeoutError):
        await within(0.01, backend.ask())
    assert not backend.ended.is_set()
    backend.answers.set()
    await backend.ended.wait()
    await asyncio.sleep(0)
    assert unforeseen == []


async def test_what_nobody_foresaw_is_told_also_then(unforeseen: list[dict[str, Any]]) -> None:
    backend = Backend(ValueError("unforeseen"))
    with pytest.raises(TimeoutError):
        await within(0.01, backend.ask())
    backend.answers.set()
    await backend.ended.wait()
    await asyncio.sleep(0)
    assert [str(context["exception"]) for context in unforeseen] == ["unforeseen"]
