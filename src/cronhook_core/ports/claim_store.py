from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cronhook_core.domain.claim import MAX_CLAIM_BYTES, AttemptReport, Claim, ClaimRef, Verdict


class ClaimStore(Protocol):
    """What workers ask of the store: each transition is one compare-and-set over a whole batch.

    Contract: every transition is atomic, guarded by the state it starts from, and a no-op when repeated, so that an
    unknown commit is resolved by trying again. An id that is unknown or named twice does no harm. A database away
    raises ``StoreUnavailable``. A transition that waited too long for another transaction raises ``StoreBusy`` and has
    done nothing.
    """

    async def claim(
        self,
        execution_ids: Sequence[str],
        *,
        worker_id: str,
        now: datetime,
        with_suspect: bool = True,
        max_bytes: int = MAX_CLAIM_BYTES,
    ) -> Sequence[Claim]:
        """Claim those that are queued, available at ``now`` and allowed, for a living registered worker.

        The attempt (its number, its worker, ``started_at`` = ``now``) is written in the same step, before anything is
        sent, and reads show it from then on. Not allowed: executions of a deleted job, and scheduled ones of a paused
        job. Of executions lost twice only the first named is claimed in a call, and none without ``with_suspect``. Each
        execution is in at most one answer of all racing calls. An unknown or buried worker gets nothing. The claims
        come in the order of ``execution_ids``; target, headers and payload are the job's as it stands.

        A claim ends before the first execution with which the jobs' ``stored_bytes``, added up in the order of
        ``execution_ids`` and once for each execution, would exceed ``max_bytes``. The first one is always claimed. What
        is left stays as it was. A store that does not know a job's ``stored_bytes`` counts the bytes of its payload.
        """

    async def finish(self, reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
        """Write results, one verdict each, in the order of ``reports``.

        Accepted: while running with this ``attempt_no``; a success also while queued with it (the worker was taken for
        dead and nobody claimed since). A retry becomes CANCELLED when the job was deleted, went ``gone``, or, for a
        scheduled execution, was paused. A refused result completes its attempt as late where that had none or was
        lost. ``GiveUp.gone`` makes the job inactive and cancels its other queued executions; it is gone for every
        retry of the same batch. A one-time job whose scheduled execution succeeded or failed, and that was not given a
        new instant, becomes inactive. A job that becomes inactive gets a new revision.

        No call waits for a job that another transaction holds. A report that needs such a job gets a verdict that is
        ``locked``, or the whole call raises ``StoreBusy``: then it may be repeated with fewer reports, until the one
        that cannot be written now is by itself. Repeating what was written does no harm.
        """

    async def release(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        """Give claims back whose request was not written: queued at once, no retry burnt, the attempt hidden.

        One verdict each, in the order of ``refs``; ``locked``, and nothing done, where another transaction holds the
        job or the execution. Executions of a job that was deleted, went ``gone`` or was paused
        meanwhile are CANCELLED as in `finish`.
        """

    async def interrupt(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        """Record that an orderly stop cut off requests that may have arrived: queued at once, no retry burnt, no loss.

        The attempt is shown, with the outcome ``interrupted`` and an ``error``. How often is not bounded. One verdict
        each, as `release`. Executions of a job that was deleted, went ``gone`` or was paused meanwhile are
        CANCELLED as in `finish`.
        """

    async def lose(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        """Record claims as lost: queued at once without burning a retry, FAILED (``lost``) at the third loss.

        One verdict each, as `release`. Executions of a job that was deleted, went ``gone`` or was paused meanwhile are
        CANCELLED as in `finish`; jobs end as in `finish`.
        """

    async def running(self, worker_id: str) -> Sequence[ClaimRef]:
        """The claims that the store believes this worker to hold."""
