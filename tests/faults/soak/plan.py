"""When which fault comes: drawn from a seed alone, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs

from tests.faults.soak.kinds import KINDS, LEADER, SCHEDULERS, Kind, parts

STORM, CALM = 22.0, 8.0
"""Seconds in which faults begin, and in which none does, by turns: there it is seen whether all is well again."""
MEAN_PAUSE = 2.0
"""Seconds from the beginning of one fault to that of the next one, in the mean."""
ALONE_EVERY = 4
"""One storm in so many is a single fault of some jobs, so that it shows whether other jobs feel it."""
FIRST = 5.0
RECOVERS_IN = 5.0
"""Seconds for which a target is spared after a fault, for processes need time to be there again."""


@attrs.frozen(kw_only=True)
class PlannedFault:
    """Its preparation, or the fault itself, begins `at` seconds after the load.

    `size` is how often, how many, or by how many seconds, where the kind has any.
    """

    at: float
    kind: Kind
    target: str
    seconds: float
    size: float

    @property
    def end(self) -> float:
        return self.at + self.kind.prepares + self.seconds

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind.name} {self.target}{lasting}"


def draw_plan(seed: int, seconds: float) -> list[PlannedFault]:
    """The faults of a run of so many seconds. A longer run of the same seed begins in the same way."""
    random = Random(f"faults {seed}")
    plan: list[PlannedFault] = []
    busy_until: dict[str, float] = {}
    at = FIRST
    while True:
        at += random.expovariate(1 / MEAN_PAUSE)
        phase = at % (STORM + CALM)
        if phase > STORM:
            at += STORM + CALM - phase
        storm = int(at // (STORM + CALM))
        is_alone = storm % ALONE_EVERY == ALONE_EVERY - 1
        kinds = [kind for kind in KINDS if kind.of_some_jobs or not is_alone]
        kind = random.choices(kinds, [kind.weight for kind in kinds])[0]
        fault = PlannedFault(
            at=at,
            kind=kind,
            target=random.choice(kind.targets),
            seconds=random.uniform(kind.shortest, kind.longest),
            size=random.uniform(*kind.sizes),
        )
        if fault.at > seconds:
            return plan
        if fault.end <= seconds and _is_free(fault, busy_until):
            busy_until.update(dict.fromkeys((fault.target, *parts(fault.target)), fault.end + RECOVERS_IN))
            plan.append(_within_storm(fault))
            if is_alone:
                at = (storm + 1) * (STORM + CALM)


def _is_free(fault: PlannedFault, busy_until: dict[str, float]) -> bool:
    """Whether nothing else ails the target, and not all of its sort are hit at once."""
    alike = SCHEDULERS if fault.target == LEADER else parts(fault.target)
    return all(busy_until.get(target, 0.0) <= fault.at for target in (fault.target, *alike))


def _within_storm(fault: PlannedFault) -> PlannedFault:
    """Long ones that began late end with the storm, and a little later where they must be long."""
    left = STORM - fault.at % (STORM + CALM)
    return attrs.evolve(fault, seconds=min(fault.seconds, max(left, fault.kind.shortest)))


def families(plan: Sequence[PlannedFault]) -> list[str]:
    return sorted({fault.kind.family for fault in plan})
