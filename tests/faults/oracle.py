"""The oracle: told what happened, it says which invariants that breaks.

It knows nothing of cronhook but the names of columns. Process tests, the soak and the model all ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tests.faults.delivery_checks import (
    no_forgotten_success,
    no_invented_success,
    no_needless_repeat,
    no_repeated_attempt,
    no_unrecorded_post,
)
from tests.faults.history import Bounds, History, Violation
from tests.faults.planning_checks import no_double_plan, no_lost_instant
from tests.faults.service_checks import (
    no_broken_promise,
    no_crossing,
    no_lasting_damage,
    no_leaked_secret,
    no_overflow,
    no_unhandled_error,
)
from tests.faults.state_checks import no_overspent_budget, no_stuck_work, only_growing_numbers, only_known_edges
from tests.faults.timeliness_checks import no_delay_of_others, no_lateness, no_untimely_send

Check = Callable[[History, Bounds], Iterable[Violation]]

CHECKS: Mapping[str, Check] = {
    "I1": no_lost_instant,
    "I2": no_double_plan,
    "I3": no_unrecorded_post,
    "I4": no_repeated_attempt,
    "I5": no_stuck_work,
    "I6": no_invented_success,
    "I7": no_forgotten_success,
    "I8": only_known_edges,
    "I9": only_growing_numbers,
    "I10": no_overspent_budget,
    "I11": no_lateness,
    "I12": no_needless_repeat,
    "I13": no_broken_promise,
    "I14": no_overflow,
    "I15": no_leaked_secret,
    "I16": no_unhandled_error,
    "I17": no_crossing,
    "I18": no_lasting_damage,
    "I21": no_untimely_send,
    "I22": no_delay_of_others,
}
"""One check for each invariant, by its number."""


def judge(history: History, bounds: Bounds | None = None, *, only: Iterable[str] = CHECKS) -> list[Violation]:
    """All violations, by invariant; none of a good history. `only` some invariants where the others cannot show."""
    allowed = bounds or Bounds()
    return [violation for name in only for violation in CHECKS[name](history, allowed)]
