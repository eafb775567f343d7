"""Thousands of interleavings of cronhook's own code, with the oracle's word after every step.

``CRONHOOK_TEST_MODEL_STEPS`` is how many steps are made in all. `tests.model.mutants` sets two more: with
``CRONHOOK_TEST_MODEL_SHRINK=no`` a failure stays as it was found, and ``CRONHOOK_TEST_MODEL_SOURCE`` is the folder that
cronhook must come from.
"""

import os
from math import ceil

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import cronhook_core
from tests.model.operations import CODES, SETS_OF_FAMILIES, operation, perform
from tests.model.settling import settle
from tests.model.world import World

STEPS = int(os.environ.get("CRONHOOK_TEST_MODEL_STEPS", "50000"))
STEPS_PER_EXAMPLE = 60
SHRINK = os.environ.get("CRONHOOK_TEST_MODEL_SHRINK") != "no"
SOURCE = os.environ.get("CRONHOOK_TEST_MODEL_SOURCE", "")


class Model(RuleBasedStateMachine):
    """One rule for all operations: their weights matter."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        for schedule in range(2):
            self.world.create(schedule, 1)
        self.families = 0

    @initialize(families=st.integers(0, SETS_OF_FAMILIES - 1))
    def choose(self, families: int) -> None:
        self.families = families
        self.world.all_lead(families % 2 == 1)

    @rule(code=st.integers(0, CODES - 1))
    def step(self, code: int) -> None:
        chosen = operation(self.families, code)
        note(f"    {chosen}")
        perform(self.world, chosen)

    def teardown(self) -> None:
        settle(self.world)


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=ceil(STEPS / STEPS_PER_EXAMPLE),
    stateful_step_count=1 + STEPS_PER_EXAMPLE,  # `choose` counts as one
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if SHRINK else [Phase.generate],
)


def test_the_source_is_the_one_that_is_meant() -> None:
    assert cronhook_core.__file__.startswith(SOURCE)
