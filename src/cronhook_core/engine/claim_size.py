from __future__ import annotations

from collections.abc import Sequence

from cronhook_core.domain.claim import MAX_CLAIM_BYTES, Claim

AT_ONCE = 300
"""Executions claimed in one statement, and messages popped in one call, at most."""
FIRST_BYTES = 1024 * 1024
"""Bytes of the first claims; those that are quick lead to larger ones."""
LEAST_BYTES = 64 * 1024
SLOW = 0.5
"""Seconds. Other executions wait for as long as a claim takes, so that one that returns much should not take longer."""


class ClaimSize:
    """How many executions, and how many bytes, the next claim asks for.

    Both are halved after a claim that failed: it may have been too large for the time that a call of the store has.
    The bytes are halved as well after a slow claim that returned at least half of them. What a quick claim used at
    least half of is doubled again, up to `AT_ONCE` executions and `MAX_CLAIM_BYTES`.
    """

    def __init__(self) -> None:
        self.executions = AT_ONCE
        self.bytes = FIRST_BYTES

    def failed(self) -> None:
        self.executions = max(1, self.executions // 2)
        self.bytes = max(LEAST_BYTES, self.bytes // 2)

    def answered(self, claims: Sequence[Claim], seconds: float) -> None:
        is_quick = seconds < SLOW / 2
        if is_quick and len(claims) * 2 >= self.executions:
            self.executions = min(AT_ONCE, self.executions * 2)
        if sum(len(claim.payload) for claim in claims) * 2 >= self.bytes:
            if is_quick:
                self.bytes = min(MAX_CLAIM_BYTES, self.bytes * 2)
            elif seconds > SLOW:
                self.bytes = max(FIRST_BYTES, self.bytes // 2)
