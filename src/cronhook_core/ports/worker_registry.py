from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cronhook_core.domain.claim import Verdict
from cronhook_core.domain.worker_life import WorkerBeat


class WorkerRegistry(Protocol):
    """Knows which workers live.

    Contract: ids are never used again; all methods may be repeated harmlessly. A database that is away raises
    ``StoreUnavailable``. A write that waited too long for another transaction raises ``StoreBusy`` and has done
    nothing.
    """

    async def register_worker(self, worker_id: str, now: datetime) -> None:
        """Make a worker known, alive, at beat 0. A known one stays as it is, a buried one buried."""

    async def beat(self, worker_id: str, now: datetime) -> bool:
        """Move the worker's beat by one. False: it is unknown or was buried, and must register under a new id."""

    async def worker_beats(self) -> Sequence[WorkerBeat]:
        """All workers taken for alive."""

    async def bury_worker(self, worker_id: str, beat: int, now: datetime) -> bool:
        """Declare a worker dead if its beat still is ``beat``; it can claim nothing from then on.

        False when it has moved, or when the worker is unknown or was buried before.
        """

    async def lose_abandoned(self, now: datetime, limit: int) -> Sequence[Verdict]:
        """Record as lost (see `ClaimStore.lose`) up to ``limit`` running executions whose worker is not alive.

        Not alive: buried, or unknown. What a claim took before its worker was buried is found by the call after.
        Executions that another transaction holds, or whose job it holds, are skipped and do not count towards
        ``limit``: a later call finds them.
        """

    async def retire_worker(self, worker_id: str) -> None:
        """Forget a worker that ended by itself and holds nothing."""
