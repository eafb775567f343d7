"""Breaks the core in known ways, one at a time, and shows that the model notices: ``python -m tests.model.mutants``.

Each mutant is a change to a copy of the source. The names of those to try may be given; the exit code is 1 when one of
them lives, or when the source as it is does not pass.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
STEPS = 50_000
SEED = 1


@attrs.frozen
class Edit:
    """In ``file`` (below src), the text ``old``, which stands there once, becomes ``new``."""

    file: str
    old: str
    new: str


@attrs.frozen(kw_only=True)
class Mutant:
    name: str
    edits: tuple[Edit, ...]


@attrs.frozen(kw_only=True)
class Trial:
    """``violation`` is what the model says; None when it says nothing."""

    mutant: str
    violation: str | None
    seconds: float


_TRANSITIONS = "cronhook_core/domain/transitions.py"
_SCHEDULER = "cronhook_core/engine/scheduler.py"
_REAPER = "cronhook_core/engine/reaper.py"

NAMED = (
    Mutant(
        name="no fence",
        edits=(
            Edit(
                _TRANSITIONS,
                "return execution.status is ExecutionStatus.RUNNING and execution.attempt_no == attempt_no",
                "return execution.status is ExecutionStatus.RUNNING",
            ),
        ),
    ),
    Mutant(
        name="no unique key",
        edits=(
            Edit(
                "cronhook_core/backends/memory/planning.py",
                "if execution is None or self._db.executions.is_scheduled(execution.job_id, execution.scheduled_for):",
                "if execution is None:",
            ),
        ),
    ),
    Mutant(
        name="push before commit",
        edits=(
            Edit(
                _SCHEDULER,
                "        queued = set(await self._store.plan(plans, now))\n",
                "        self._offer([QueueMessage.of(p.execution) for p in plans if p.execution])\n"
                "        await self._feed.run_once()\n"
                "        queued = set(await self._store.plan(plans, now))\n",
            ),
        ),
    ),
    Mutant(
        name="local time",
        edits=(
            Edit(
                "cronhook_core/domain/recurrence.py",
                "found = (match - offset).replace(tzinfo=UTC)",
                "found = match.replace(tzinfo=UTC)",
            ),
        ),
    ),
    Mutant(name="no revision check", edits=(Edit(_TRANSITIONS, " and job.revision == plan.revision", ""),)),
    Mutant(
        name="claim does not check the job's status",
        edits=(
            Edit(
                _TRANSITIONS,
                "        and not job.is_deleted\n"
                "        and not (job.status is JobStatus.PAUSED and execution.trigger is Trigger.SCHEDULE)\n",
                "",
            ),
        ),
    ),
    Mutant(
        name="an outage counts as silence",
        edits=(
            Edit(_REAPER, "min(read_at - self._last_read, 2 * INTERVAL)", "read_at - self._last_read"),
            Edit(_REAPER, "        self._last_read = None\n        self._seen = {}\n", "        self._seen = {}\n"),
        ),
    ),
)
"""Those that the design names.

Two of them break a second line of defence: as long as the first stands, no user can reach the state that it is for. The
model comes there by another hand on the database: a job whose ``next_run`` is set back (the unique key then refuses its
instant), and one that is paused there while something of it is queued (the claim then leaves it).
"""

OTHERS = (
    Mutant(
        name="missed instants are not counted",
        edits=(
            Edit(
                "cronhook_core/engine/planner.py",
                "missed_count=missed.missed_count,\n        missed_from=missed.missed_from,",
                "missed_count=0,\n        missed_from=None,",
            ),
        ),
    ),
    Mutant(
        name="a send without trust",
        edits=(Edit("cronhook_core/engine/sends.py", "secrets is None or not self._may_start()", "secrets is None"),),
    ),
    Mutant(
        name="trust ends after 70 s",
        edits=(
            Edit(
                "cronhook_core/domain/worker_life.py",
                "TRUST_ENDS_AFTER = timedelta(seconds=7)",
                "TRUST_ENDS_AFTER = timedelta(seconds=70)",
            ),
        ),
    ),
    Mutant(
        name="an interruption counts as a loss",
        edits=(
            Edit(
                _TRANSITIONS,
                "    after = _queued_or_cancelled(execution, job, available_at=now, now=now)\n    interrupted",
                "    after = evolve(execution, losses=execution.losses + 1)\n"
                "    after = _queued_or_cancelled(after, job, available_at=now, now=now)\n    interrupted",
            ),
        ),
    ),
    Mutant(
        name="a loss burns a retry",
        edits=(
            Edit(
                _TRANSITIONS,
                "after = evolve(execution, losses=execution.losses + 1)",
                "after = evolve(execution, losses=execution.losses + 1, retries_used=execution.retries_used + 1)",
            ),
        ),
    ),
    Mutant(
        name="a resumption plans the past",
        edits=(
            Edit(
                "cronhook_core/domain/job_changes.py",
                "next_run = job.definition.schedule.next_after(max(now, planned_through or now))",
                "next_run = job.definition.schedule.next_after(planned_through or now)",
            ),
        ),
    ),
    Mutant(
        name="results that cannot be written are dropped",
        edits=(
            Edit(
                "cronhook_core/engine/result_writer.py",
                "        group = lane.next_group(self._clock.monotonic())\n",
                "        group = lane.next_group(self._clock.monotonic())\n        del lane.ready[: len(group)]\n",
            ),
            Edit(
                "cronhook_core/engine/result_writer.py",
                "            return self._database.pause\n        del lane.ready[: len(group)]\n",
                "            return self._database.pause\n",
            ),
        ),
    ),
    Mutant(
        name="strays are kept",
        edits=(Edit("cronhook_core/engine/worker.py", "            if strays:\n", "            if not running:\n"),),
    ),
    Mutant(
        name="planning goes back with the clock",
        edits=(
            Edit("cronhook_core/engine/planner.py", "minute_of(max(now, planned_through))", "minute_of(now)"),
            Edit(
                "cronhook_core/backends/memory/planning.py",
                "if execution is None or self._db.executions.is_scheduled(execution.job_id, execution.scheduled_for):",
                "if execution is None:",
            ),
        ),
    ),
)
"""Further ones; the last has two, for one of its changes alone is made up for by what the other takes away."""

MUTANTS = {mutant.name: mutant for mutant in (*NAMED, *OTHERS)}


def source_of(mutant: Mutant | None, folder: Path) -> Path:
    """A copy of the source in ``folder``, changed. ``ValueError`` where the text to be changed does not stand there."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in mutant.edits if mutant else ():
        path = source / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise ValueError(f"{edit.file} has this {text.count(edit.old)} times, not once: {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new))
    return source


def try_out(mutant: Mutant | None, *, steps: int = STEPS, seed: int = SEED) -> Trial:
    """Run the model over the changed source (None: over the source as it is)."""
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(mutant, Path(folder))
        began = time.monotonic()
        done = _run_model(source, steps, seed)
        seconds = time.monotonic() - began
    found = re.search(r"^.*\bBroken: (.+)$", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or (done.returncode == 1) != (found is not None):
        raise RuntimeError(f"the model did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return Trial(mutant=mutant.name if mutant else "none", violation=found and found[1], seconds=seconds)


def _run_model(source: Path, steps: int, seed: int) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CRONHOOK_TEST_MODEL_STEPS": str(steps),
        "CRONHOOK_TEST_MODEL_SHRINK": "no",
        "CRONHOOK_TEST_MODEL_SOURCE": str(source),
    }
    command = [sys.executable, "-m", "pytest", "tests/model/test_model.py", f"--hypothesis-seed={seed}", "--tb=short"]
    options = ["-q", "-p", "no:cacheprovider"]
    return subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True)


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in MUTANTS]
    if unknown:
        print(f"there is no mutant {unknown[0]!r}, but: {', '.join(MUTANTS)}")
        return 2
    alive = 0
    for mutant in (None, *(MUTANTS[name] for name in names or MUTANTS)):
        trial = try_out(mutant)
        alive += (trial.violation is None) is (mutant is not None)
        print(f"{trial.mutant:45} {trial.seconds:6.1f} s  {trial.violation or 'nothing noticed'}", flush=True)
    print(f"{alive} unexpected" if alive else "the source passes, and every mutant is caught")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
