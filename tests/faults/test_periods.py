"""When a job's schedule was in force, where its one run ends it beside what users do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.faults.history import Act, Once
from tests.faults.made_history import MS, NOON, act, at, create
from tests.faults.periods import periods_of

FIRST, OTHER = Once(at(1)), Once(at(3))
CREATED = create("job_1", FIRST, NOON)
PAUSED = act("pause", at(1), job_id="job_1")
EDITED = act("edit", at(2), job_id="job_1", schedule=OTHER)


def ended(minute: float) -> Act:
    return Act(kind="ended", job_id="job_1", asked_at=at(minute), answered_at=at(minute), schedule=FIRST)


def allowed(acts: Sequence[Act], schedule: Once) -> bool:
    return any(period.allows(schedule.run_at) for period in periods_of(acts, timedelta()))


def required(acts: Sequence[Act], schedule: Once) -> bool:
    return any(schedule.run_at in period.required(at(9)) for period in periods_of(acts, timedelta()))


def test_a_paused_job_that_is_given_another_instant_stays_paused() -> None:
    assert not allowed([CREATED, PAUSED, EDITED], OTHER)


def test_a_paused_job_that_was_ended_by_its_run_becomes_active_by_another_instant() -> None:
    acts = [CREATED, PAUSED, ended(1.5), EDITED]
    assert allowed(acts, OTHER)
    assert required(acts, OTHER)


def test_what_an_edit_came_before_ends_nothing() -> None:
    acts = [CREATED, EDITED, ended(2.5)]
    assert required(acts, OTHER)
    assert not allowed([CREATED, PAUSED, EDITED, ended(2.5)], OTHER)


@pytest.mark.parametrize("moment", [EDITED.asked_at + 1 * MS, EDITED.answered_at])
def test_nobody_knows_which_came_first_of_an_end_and_an_edit_under_way(moment: object) -> None:
    end = Act(kind="ended", job_id="job_1", asked_at=moment, answered_at=moment, schedule=FIRST)  # type: ignore[arg-type]
    acts = [CREATED, PAUSED, EDITED, end]
    assert allowed(acts, OTHER)
    assert not required(acts, OTHER)
