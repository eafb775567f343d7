"""The model goes everywhere: an invariant that holds where nothing happens says nothing."""

from collections import Counter
from random import Random

import pytest

from tests.faults.state_checks import EDGES
from tests.model.observed import Observer
from tests.model.operations import CODES, FAMILIES, PROGRESS, SETS_OF_FAMILIES, operation, perform
from tests.model.settling import settle
from tests.model.world import World

WORLDS, STEPS = 200, 60


class Seen:
    """How often everything came about."""

    def __init__(self) -> None:
        self.operations: Counter[str] = Counter()
        self.edges: Counter[tuple[str | None, str | None]] = Counter()
        self.outcomes: Counter[tuple[str, bool]] = Counter()
        self.reasons: Counter[str | None] = Counter()
        self.acts: Counter[str] = Counter()

    def note(self, observer: Observer) -> None:
        for executions in observer.executions.values():
            self.reasons.update(row["reason"] for row in executions.values())
        for attempts in observer.attempts.values():
            self.outcomes.update((row["outcome"], row["late"]) for row in attempts.values())
        for acts in observer.acts.values():
            self.acts.update(act.kind for act in acts)
        self.edges.update(observer.edges)


@pytest.fixture(scope="module")
def seen() -> Seen:
    """What a walk without any plan comes by, always the same one."""
    seen, random = Seen(), Random(5)
    for _ in range(WORLDS):
        world, families = World(), random.randrange(SETS_OF_FAMILIES)
        world.create(0, 1)
        for _ in range(STEPS):
            chosen = operation(families, random.randrange(CODES))
            seen.operations[chosen.method] += 1
            perform(world, chosen)
        settle(world)
        seen.note(world.observer)
    return seen


def test_every_operation_is_performed(seen: Seen) -> None:
    kinds = (*PROGRESS, *(kind for family in FAMILIES.values() for kind in family))
    assert set(seen.operations) == {kind.method for kind in kinds}


def test_every_edge_is_taken_but_that_of_pruning(seen: Seen) -> None:
    assert {edge for edge in seen.edges if edge[0] != edge[1]} == {edge for edge in EDGES if EDGES[edge] != "prune"}


def test_attempts_end_in_every_way_that_the_model_has(seen: Seen) -> None:
    in_time = {outcome for outcome, late in seen.outcomes if not late}
    assert in_time == {"succeeded", "http_error", "timeout", "protocol_error", "lost", "interrupted", "released"}
    assert {outcome for outcome, late in seen.outcomes if late} >= {"succeeded", "http_error"}


def test_executions_end_for_every_reason(seen: Seen) -> None:
    assert set(seen.reasons) >= {None, "retries_exhausted", "gone", "paused", "deleted", "cancelled"}


def test_users_do_everything(seen: Seen) -> None:
    assert set(seen.acts) == {
        *("create", "edit", "pause", "resume", "delete", "run", "replay", "cancel"),
        *("gone", "ended", "rewind"),
    }
