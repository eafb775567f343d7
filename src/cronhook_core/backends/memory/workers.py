from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from cronhook_core.backends.memory.claims import MemoryClaimStore
from cronhook_core.backends.memory.database import MemoryDatabase, WorkerRow
from cronhook_core.domain.claim import ClaimRef, Verdict
from cronhook_core.domain.worker_life import WorkerBeat


class MemoryWorkerRegistry:
    def __init__(self, database: MemoryDatabase) -> None:
        self._db = database

    async def register_worker(self, worker_id: str, now: datetime) -> None:
        self._db.workers.setdefault(worker_id, WorkerRow())

    async def beat(self, worker_id: str, now: datetime) -> bool:
        if not self._db.is_alive(worker_id):
            return False
        self._db.workers[worker_id].beat += 1
        return True

    async def worker_beats(self) -> Sequence[WorkerBeat]:
        workers = self._db.workers.items()
        return [WorkerBeat(worker_id=name, beat=worker.beat) for name, worker in workers if worker.buried_at is None]

    async def bury_worker(self, worker_id: str, beat: int, now: datetime) -> bool:
        if not self._db.is_alive(worker_id) or self._db.workers[worker_id].beat != beat:
            return False
        self._db.workers[worker_id].buried_at = now
        return True

    async def lose_abandoned(self, now: datetime, limit: int) -> Sequence[Verdict]:
        dead = (worker_id for worker_id in self._db.executions.workers() if not self._db.is_alive(worker_id))
        abandoned = (execution for worker_id in dead for execution in self._db.executions.running(worker_id))
        refs = [ClaimRef(execution_id=e.id, attempt_no=e.attempt_no) for e in islice(abandoned, limit)]
        return await MemoryClaimStore(self._db).lose(refs, now)

    async def retire_worker(self, worker_id: str) -> None:
        self._db.workers.pop(worker_id, None)
