"""How long to wait for a Redis that does not answer, and how long to leave it alone."""

from __future__ import annotations

from random import Random

ANSWER_WITHIN = 0.75
"""Seconds that Redis has to connect and answer, beyond what a blocking command asks it to wait."""
CLOSE_WITHIN = 0.5
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


class Backoff:
    """The seconds to wait after a failure.

    They double with every failure in a row, and are spread over their upper half so that nodes do not return together.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next = FIRST_PAUSE

    def failed(self) -> float:
        pause, self._next = self._next, min(LONGEST_PAUSE, self._next * 2)
        return pause * self._random.uniform(0.5, 1.0)

    def answered(self) -> None:
        self._next = FIRST_PAUSE
