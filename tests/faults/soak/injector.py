"""Carries out a plan of faults, each at its time, however many others are under way."""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from typing import Self

import attrs

from tests.faults.soak.breaking import BREAKS
from tests.faults.soak.fleet import Fleet
from tests.faults.soak.kinds import LEADER, parts
from tests.faults.soak.members import MEMBERS, Hit
from tests.faults.soak.plan import PlannedFault
from tests.faults.soak.users import Users


@attrs.frozen(kw_only=True)
class Happened:
    """A fault that took place: what it hit in the end, between which instants it came, and when it was mended.

    With `jobs` it may delay these only.
    """

    planned: PlannedFault
    target: str
    began: datetime
    hit: datetime
    ended: datetime
    jobs: frozenset[str] | None = None


class Injector:
    """From the beginning of the block on; its end mends what is broken and waits until all is there again."""

    def __init__(self, fleet: Fleet, users: Users, plan: list[PlannedFault]) -> None:
        self._fleet = fleet
        self._users = users
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._carry_out, args=[fault], daemon=True) for fault in plan]
        self._under_way: set[str] = set()
        self.happened: list[Happened] = []
        self.complaints: list[str] = []
        """What went wrong with the breaking itself, or with how a process ended."""

    @property
    def under_way(self) -> list[str]:
        return sorted(self._under_way)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits for what is under way, unless the run is broken off: then all that it works on ends anyhow."""
        self._ended.set()
        for thread in self._threads if kind is None else ():
            thread.join()

    def _carry_out(self, fault: PlannedFault) -> None:
        if self._ended.wait(max(0.0, self._began + fault.at - time.monotonic())):
            return
        target = self._fleet.leader() if fault.target == LEADER else fault.target
        with ExitStack() as stack:
            for part in parts(target):
                stack.enter_context(self._fleet.busy(part))
            if self._ended.is_set():
                return
            name = f"{fault.kind.name} {target}"
            self._under_way.add(name)
            try:
                self._break(fault, target)
            except Exception:
                self.complaints.append(f"{name}: {traceback.format_exc()}")
            self._under_way.discard(name)

    def _break(self, fault: PlannedFault, target: str) -> None:
        began, hit, jobs = datetime.now(UTC), None, None
        try:
            with self._breaking(fault, target) as told:
                if told is not None:
                    began, jobs = told.at, told.jobs
                hit = datetime.now(UTC)
                self._ended.wait(fault.seconds)
        finally:
            ended = datetime.now(UTC)
            self.happened.append(
                Happened(planned=fault, target=target, began=began, hit=hit or ended, ended=ended, jobs=jobs)
            )

    def _breaking(self, fault: PlannedFault, target: str) -> AbstractContextManager[Hit | None]:
        if fault.kind.name in MEMBERS:
            return MEMBERS[fault.kind.name](self._fleet, self._users, fault)
        return BREAKS[fault.kind.name](self._fleet, fault, target)
