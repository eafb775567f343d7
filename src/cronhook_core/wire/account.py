"""Keys, workspaces and signing secrets as they are written and read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import evolve, field, fields, frozen

from cronhook_core.domain.api_key import ApiKey, Scope
from cronhook_core.domain.workspace import Workspace


@frozen(kw_only=True)
class KeyWrite:
    """The body that makes a key. ``expires_at`` None: it does not expire by itself."""

    name: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None = None


@frozen(kw_only=True)
class KeyRotate:
    """The body that replaces a key; the old one stays valid for ``grace_seconds``."""

    grace_seconds: float = 0


@frozen(kw_only=True)
class SecretRotate:
    """The body that replaces the signing secret; the old one signs as well for ``grace_seconds``."""

    grace_seconds: float = 86_400


@frozen(kw_only=True)
class KeyRead:
    """``prefix`` is how the key begins, to tell it by."""

    id: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyRead:
        return cls(**_fields(key))


@frozen(kw_only=True)
class KeyMade(KeyRead):
    """A key that was just made: the only time that its text, ``key``, is shown."""

    key: str = field(repr=False)

    @classmethod
    def showing(cls, key: ApiKey, text: str) -> KeyMade:
        return cls(**_fields(key), key=text)


@frozen(kw_only=True)
class KeyList:
    data: tuple[KeyRead, ...]
    next_cursor: str | None = None


@frozen(kw_only=True)
class Limits:
    """None: there is no limit. Executions that runs and replays queued count until they end."""

    max_jobs: int | None
    max_queued_executions: int | None
    max_queued_executions_per_job: int | None
    max_stored_bytes: int | None


@frozen(kw_only=True)
class Usage:
    """``jobs`` are those that count: active and paused ones. ``queued_executions`` are those of runs and replays.

    ``stored_bytes`` is what all jobs take that are not deleted, inactive ones included. What was removed after the
    retention may be in it until the limit is reached.
    """

    jobs: int
    queued_executions: int
    stored_bytes: int


@frozen(kw_only=True)
class WorkspaceRead:
    id: str
    name: str
    limits: Limits
    usage: Usage

    @classmethod
    def of(cls, workspace: Workspace, *, limits: Limits, usage: Usage) -> WorkspaceRead:
        """``limits`` are those of workspaces without their own."""
        own = workspace.max_jobs
        return cls(
            id=workspace.id,
            name=workspace.name,
            limits=limits if own is None else evolve(limits, max_jobs=own),
            usage=usage,
        )


@frozen(kw_only=True)
class SigningSecretRead:
    """``secret`` signs now; ``previous_expires_at`` is until when the one before it signs as well, if it does."""

    secret: str = field(repr=False)
    version: int
    previous_expires_at: datetime | None


def ordered(scopes: frozenset[Scope]) -> tuple[Scope, ...]:
    """In the order in which `Scope` names them."""
    return tuple(scope for scope in Scope if scope in scopes)


_FIELDS = tuple(attribute.name for attribute in fields(KeyRead) if attribute.name != "scopes")


def _fields(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in _FIELDS} | {"scopes": ordered(key.scopes)}
