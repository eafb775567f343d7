"""``python -m tests.faults.soak --minutes N --seed S``: exit code 0 when every invariant held, 1 when one did not."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.history import History
from tests.faults.oracle import judge
from tests.faults.soak.card import card
from tests.faults.soak.findings import BOUNDS, history_of
from tests.faults.soak.fleet import Fleet
from tests.faults.soak.injector import Injector
from tests.faults.soak.keeping import keep
from tests.faults.soak.plan import draw_plan
from tests.faults.soak.users import Users
from tests.faults.soak.watch import Watch
from tests.services import hear_signals

PROGRESS_EVERY = 10.0
QUIET_WITHIN = 600.0
"""Seconds. What was lost twice is sent one by one, and those that take longest are lost most often."""
LEFT = """
    SELECT (SELECT count(*) FROM executions WHERE status IN ('queued', 'running'))
        + (SELECT count(*) FROM jobs WHERE status = 'active')
"""


def main(arguments: Sequence[str] | None = None) -> int:
    hear_signals()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options().parse_args(arguments)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    say(f"seed {seed}, {options.minutes:g} minutes; again: nox -s soak -- --minutes {options.minutes:g} --seed {seed}")
    try:
        return Soak(seed, options).run()
    except KeyboardInterrupt:
        say("interrupted; everything it started is gone")
        return 130


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults and load last")
    parser.add_argument("--seed", type=int, help="of the faults and of the load; a random one by default")
    parser.add_argument("--per-second", type=float, default=46.0, help="jobs stored in a second")
    parser.add_argument("--cron-jobs", type=int, default=600, help="jobs that run every minute or two")
    parser.add_argument("--records", type=Path, default=Path("soak-records"), help="where records of a failure go")
    parser.add_argument("--keep", action="store_true", help="keep the records of a success, too")
    return parser


class Soak:
    def __init__(self, seed: int, options: argparse.Namespace) -> None:
        self._seed = seed
        self._options = options
        self._seconds = options.minutes * 60
        self._plan = draw_plan(seed, self._seconds)

    def run(self) -> int:
        with Fleet() as fleet:
            history, complaints = self._live_through(fleet)
            violations = judge(history, BOUNDS)
            lines = [f"seed             {self._seed}", *card(history, violations, BOUNDS), *complaints]
            for line in lines:
                say(line)
            failed = bool(violations or complaints)
            if failed or self._options.keep:
                folder = keep(history, lines, self._options.records / f"seed-{self._seed}")
                say(f"records          {folder}")
        say("an invariant was broken" if failed else "every invariant held")
        return 1 if failed else 0

    def _live_through(self, fleet: Fleet) -> tuple[History, list[str]]:
        options = self._options
        users = Users(fleet, seed=self._seed, per_second=options.per_second, cron_jobs=options.cron_jobs)
        with Watch(fleet) as watch:
            with users, Injector(fleet, users, self._plan) as injector:
                self._tell_progress(fleet, users, injector)
            users.delete_recurring()
            quiet = self._wait_until_quiet(fleet)
        complaints = [*users.complaints, *injector.complaints, *quiet]
        return history_of(fleet, users, watch, injector.happened, datetime.now(UTC)), complaints

    def _tell_progress(self, fleet: Fleet, users: Users, injector: Injector) -> None:
        began, pause = time.monotonic(), threading.Event()
        while (elapsed := time.monotonic() - began) < self._seconds:
            pause.wait(min(PROGRESS_EVERY, self._seconds - elapsed))
            say(
                f"{time.monotonic() - began:6.0f} s  {users.created} jobs stored, {fleet.receiver.count} requests, "
                f"{len(injector.happened)} of {len(self._plan)} faults; now: {', '.join(injector.under_way) or 'none'}"
            )

    def _wait_until_quiet(self, fleet: Fleet) -> list[str]:
        """Empty once nothing is left to do; else what there is."""
        began, pause = time.monotonic(), threading.Event()
        while (left := fleet.count(LEFT)) and time.monotonic() < began + QUIET_WITHIN:
            pause.wait(0.5)
        say(f"{left or 'no'} jobs and executions left {time.monotonic() - began:.0f} s after the last fault")
        return [f"{left} jobs and executions had not ended {QUIET_WITHIN:g} s after the last fault"] if left else []


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
