"""Whether the things that the engine depends on answer, announced at each change only."""

from __future__ import annotations

from random import Random

from cronhook_core.ports.engine_hooks import EngineHooks

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


class Dependency:
    """One dependency as seen by one process; all its users share the object.

    ``answered`` and ``failed`` take note of what happened; `pause` says how many seconds to wait before the next try:
    it doubles from 50 ms to 1 s with every failure in a row, spread by ± 50 % so that nodes do not return together.
    """

    def __init__(self, name: str, hooks: EngineHooks, random: Random) -> None:
        self.name = name
        self._hooks = hooks
        self._random = random
        self._failures = 0

    @property
    def available(self) -> bool:
        return self._failures == 0

    def answered(self) -> None:
        if self._failures:
            self._failures = 0
            self._hooks.dependency_changed(self.name, True)

    def failed(self) -> None:
        self._failures += 1
        if self._failures == 1:
            self._hooks.dependency_changed(self.name, False)

    @property
    def pause(self) -> float:
        doubled = FIRST_PAUSE * float(2 ** min(self._failures, 10))
        return min(LONGEST_PAUSE, doubled) * self._random.uniform(0.5, 1.0)


class Dependencies:
    """What the engine depends on: ``database``, ``queue`` and ``lock``."""

    def __init__(self, hooks: EngineHooks, random: Random) -> None:
        self.database = Dependency("database", hooks, random)
        self.queue = Dependency("queue", hooks, random)
        self.lock = Dependency("lock", hooks, random)
