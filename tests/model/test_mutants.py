"""The mutants still fit the source, and the model catches them: here two of them, all in ``nox -s mutants``."""

from pathlib import Path

import pytest

from tests.model.mutants import MUTANTS, NAMED, Edit, Mutant, source_of, try_out

NAMES_IN_THE_DESIGN = {
    *("no fence", "no unique key", "push before commit", "local time", "no revision check"),
    *("claim does not check the job's status", "an outage counts as silence"),
}


def test_the_design_names_them() -> None:
    assert {mutant.name for mutant in NAMED} == NAMES_IN_THE_DESIGN


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_fits_the_source(name: str, tmp_path: Path) -> None:
    source = source_of(MUTANTS[name], tmp_path)
    for edit in MUTANTS[name].edits:
        assert edit.new in (source / edit.file).read_text()


def test_a_mutant_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    edit = Edit("cronhook_core/domain/transitions.py", "no such text", "")
    with pytest.raises(ValueError, match="not once"):
        source_of(Mutant(name="outdated", edits=(edit,)), tmp_path)


@pytest.mark.parametrize(
    ("name", "violation"), [("push before commit", "a message was pushed before"), ("local time", "I1 job_")]
)
def test_a_mutant_is_caught(name: str, violation: str) -> None:
    trial = try_out(MUTANTS[name])
    assert trial.violation is not None
    assert trial.violation.startswith(violation)


def test_a_mutant_that_changes_nothing_is_not_caught() -> None:
    """So that what catches the others is the model, and not the way it is run."""
    harmless = Mutant(
        name="harmless", edits=(Edit("cronhook_core/engine/reaper.py", "INTERVAL = 1.0", "INTERVAL = 1.0 "),)
    )
    assert try_out(harmless, steps=500).violation is None
