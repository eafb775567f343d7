"""What can happen in the world of the model, and how often.

An operation is a method of the world with its arguments. One number stands for all of that, because a test that draws
one number for a step makes several times as many steps as one that draws five.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain

import attrs

from tests.model.surroundings import ANSWERS, SCHEDULES
from tests.model.world import BOUNDARIES, World

CODES = 2**40
"""There are so many numbers of operations."""
ANY: Sequence[int] = range(12)
"""One of however many there are."""
SCHEDULE: Sequence[int] = (0, 0, 1, 1, *range(SCHEDULES))
RACED = (
    *("store.due_jobs.after", "store.plan.before", "store.plan.after"),
    *("store.ready.after", "store.claim.before", "store.claim.after"),
    *("store.finish.before", "store.finish.after"),
)
PLACES = (*BOUNDARIES, *RACED, *RACED)
"""All boundaries; those of plan, claim and finish more often."""
BEFORE = tuple(boundary for boundary in PLACES if boundary.endswith("before"))
RACING = ("update", "update", "update", "pause", "resume", "delete", "run")
ALIKE = (0, 1, 0, 1, 0, 1, *range(SCHEDULES))
"""Schedules, most of which share instants: then an edit may leave ``next_run`` as it was."""
EITHER = (False, True)
LIKELY_ANSWERS = ("ok", "ok", "error", "error", "error", "silent", "unheard", "busy", "gone")
assert set(LIKELY_ANSWERS) == set(ANSWERS)


@attrs.frozen
class Operation:
    method: str
    arguments: tuple[object, ...]

    def __str__(self) -> str:
        return f"{self.method}({', '.join(map(repr, self.arguments))})"


@attrs.frozen
class _Kind:
    """An operation whose arguments are still to be chosen."""

    weight: int
    method: str
    choices: tuple[Sequence[object], ...] = ()


PROGRESS = (
    _Kind(8, "bustle", (ANY,)),
    _Kind(4, "plan", (ANY,)),
    _Kind(6, "work", (ANY,)),
    _Kind(5, "write", (ANY,)),
    _Kind(10, "answer", (ANY, LIKELY_ANSWERS)),
    _Kind(9, "advance", ((0.3, 1, 2, 5, 9, 12, 20),)),
    _Kind(2, "stand_still", ((20, 60, 60, 180),)),
    _Kind(5, "ask", (("run",), ANY, ANY, EITHER)),
    _Kind(2, "create", (SCHEDULE, ANY)),
)
FAMILIES: Mapping[str, tuple[_Kind, ...]] = {
    "interleaving": (_Kind(8, "hold", (ANY, PLACES)), _Kind(10, "step", (ANY, EITHER))),
    "races": (
        _Kind(16, "race", (ANY, RACED, ("update", "update", "pause", "resume", "delete", "run"), ANY, SCHEDULE)),
    ),
    "users": (
        _Kind(4, "ask", (("update",), ANY, SCHEDULE, EITHER)),
        _Kind(3, "rest", (ANY, (20, 60, 180))),
        _Kind(2, "ask", (("pause",), ANY, ANY, EITHER)),
        _Kind(2, "ask", (("resume",), ANY, ANY, EITHER)),
        _Kind(2, "ask", (("replay", "cancel_execution"), ANY, ANY, EITHER)),
        _Kind(1, "ask", (("delete",), ANY, ANY, EITHER)),
    ),
    "lost calls": (
        _Kind(6, "fail_at", (ANY, PLACES)),
        _Kind(2, "fail", (ANY,)),
        _Kind(3, "repeat_at", (ANY, BEFORE)),
    ),
    "deaths": (
        _Kind(2, "crash_at", (ANY, PLACES)),
        _Kind(2, "crash", (ANY,)),
        _Kind(1, "retire", (ANY,)),
    ),
    "standing still": (
        _Kind(2, "suspend", (ANY,)),
        _Kind(2, "go_on", (ANY,)),
        _Kind(3, "stop_at", (ANY, PLACES, (2, 9, 12))),
    ),
    "clocks": (_Kind(3, "step_clocks", ((-3600, -60, -1, 1, 60, 3600),)),),
    "outages": (
        _Kind(2, "go_away", (("store", "store", "queue", "lock"),)),
        _Kind(3, "come_back"),
        _Kind(1, "all_lead", (EITHER,)),
    ),
    "messages": (_Kind(1, "lose_messages"), _Kind(1, "double_messages"), _Kind(1, "invent_message", (ANY,))),
    "other hands": (_Kind(2, "rewind", (ANY,)), _Kind(1, "pause_by_hand", (ANY,))),
}
"""What disturbs the progress, by family: an example goes deeper with some of them than with all."""
SETS_OF_FAMILIES = 2 ** len(FAMILIES)


def operation(families: int, code: int) -> Operation:
    """The operation that a number below `CODES` stands for.

    It brings the work forward, or is of one of the ``families``, which have a bit each.
    """
    kinds = _kinds(families)
    code, number = divmod(code, len(kinds))
    arguments = []
    for choices in kinds[number].choices:
        code, chosen = divmod(code, len(choices))
        arguments.append(choices[chosen])
    return Operation(kinds[number].method, tuple(arguments))


def perform(world: World, operation: Operation) -> None:
    """Do it, and hear the oracle."""
    getattr(world, operation.method)(*operation.arguments)
    world.ledger.judge_touched()


@cache
def _kinds(families: int) -> Sequence[_Kind]:
    """Each as often as its weight says."""
    chosen = [kinds for number, kinds in enumerate(FAMILIES.values()) if families >> number & 1]
    return [kind for kind in chain(PROGRESS, *chosen) for _ in range(kind.weight)]
