"""The tenant."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from cronhook_core.domain.instants import aware, aware_or_none


@frozen(kw_only=True)
class Workspace:
    """``max_jobs`` overrides the server's default quota; None leaves the default."""

    id: str
    name: str
    created_at: datetime = field(validator=aware)
    max_jobs: int | None = None


@frozen(kw_only=True)
class SigningSecretVersion:
    """One version of a workspace's signing secret; the secret itself is derived and never stored.

    ``expires_at`` is None for the current one; an older one signs beside it until then.
    """

    workspace_id: str
    version: int
    created_at: datetime = field(validator=aware)
    expires_at: datetime | None = field(default=None, validator=aware_or_none)
