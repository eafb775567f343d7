from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class SigningKeys(Protocol):
    """Knows the secrets that sign a workspace's webhooks.

    Contract: returns every secret that is valid now, the current one first; empty when webhooks go unsigned. Answers
    are cached for at most 30 s, so that signing costs no round trip. A database that is away raises
    ``StoreUnavailable`` or ``StoreBusy`` only if nothing was ever cached for this workspace.
    """

    async def secrets(self, workspace_id: str) -> Sequence[bytes]: ...
