"""The frame of everything that runs in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cronhook_core.errors import StoreBusy
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks

ERROR_PAUSE = 1.0
"""Seconds that a loop waits after a pass that failed in an unforeseen way."""
BUSY_PAUSE = 0.1
"""Seconds that a loop waits after a pass that met a lock: it has waited for that lock already."""
ABORT_WITHIN = 1.0
"""Seconds that a cancelled pass has to clean up: a driver may ask a server that hangs to cancel its statement."""


def until_round(moment: float, interval: float) -> float:
    """Seconds from a moment of monotonic time to the next that is a multiple of ``interval``: 0.01 to 1.01 times it.

    All that looks every so often looks in the same moments: in an idle program waking up costs more than looking.
    """
    left = interval - moment % interval
    return left if left > 0.01 * interval else left + interval


class BackgroundLoop:
    """Makes one pass after another, each followed by a pause that `wake` cuts short.

    ``run_once`` makes a pass and returns how many seconds may go by until the next one. ``wait`` is how the pause is
    spent (default: the clock's sleep); it is cancelled when the loop is woken or stopped.

    Promises: `start` returns at once and may be called again without effect. `stop` lets the pass under way end, then
    returns; it may be called before `start`, twice, and from several tasks. `wake` is never lost: called during a pass,
    it makes the next pause empty. A pass that raises is announced to the hooks and the loop goes on: soon after a
    ``StoreBusy``, which is announced by `EngineHooks.store_busy`, anything else by `EngineHooks.pass_failed`.
    """

    def __init__(
        self,
        name: str,
        run_once: Callable[[], Awaitable[float]],
        *,
        clock: Clock,
        hooks: EngineHooks,
        wait: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self._name = name
        self._run_once = run_once
        self._clock = clock
        self._hooks = hooks
        self._wait = wait or clock.sleep
        self._woken = False
        self._pausing = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None and not self._stopping:
            self._task = asyncio.create_task(self._run(), name=f"cronhook-{self._name}")

    def wake(self) -> None:
        """Make the next pass begin now."""
        self._woken = True
        if self._pausing and self._task is not None and self._task is not asyncio.current_task():
            self._pausing = False
            self._task.cancel()

    async def stop(self) -> None:
        self._stopping = True
        self.wake()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def abort(self) -> None:
        """Stop without letting the pass under way end; at the latest after a second it is not even let clean up."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=ABORT_WITHIN)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=ABORT_WITHIN)

    async def _run(self) -> None:
        while not self._stopping:
            self._woken = False
            pause = await self._pass()
            if not self._stopping:
                await self._pause(pause)

    async def _pass(self) -> float:
        try:
            return await self._run_once()
        except StoreBusy as error:
            self._hooks.store_busy(self._name, error)
            return BUSY_PAUSE
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop must outlive it
            self._hooks.pass_failed(self._name, error)
            return ERROR_PAUSE

    async def _pause(self, seconds: float) -> None:
        """In this task and not in one of its own: loops of an idle engine do little else than pausing."""
        if self._woken:
            await asyncio.sleep(0)
            return
        self._pausing = True
        try:
            await self._wait(seconds)
        except asyncio.CancelledError:
            if not self._was_woken():
                raise
        except Exception as error:  # noqa: BLE001 - as that of a pass
            self._was_woken()
            self._hooks.pass_failed(self._name, error)
            await self._clock.sleep(ERROR_PAUSE)
        else:
            self._was_woken()

    def _was_woken(self) -> bool:
        """Whether `wake` cancelled the pause that has ended, and nobody else cancelled this task."""
        pausing, self._pausing = self._pausing, False
        return not pausing and self._task is not None and self._task.uncancel() == 0
