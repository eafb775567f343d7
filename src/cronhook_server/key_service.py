"""Workspaces and their keys, as operators and the API make them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from random import Random

from cronhook_core.domain.api_key import ApiKey, Scope, digest_of, display_prefix, key_from_bits
from cronhook_core.domain.ids import new_id
from cronhook_core.domain.workspace import Workspace
from cronhook_core.errors import Conflict, InvalidRequest, NotFound
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_server.known_keys import KnownKeys

MAX_NAME_LENGTH = 200
MAX_KEYS = 100
"""Keys of a workspace that are valid at once; as many that have ended are kept beside them, to be seen in lists."""
_UNSHOWN = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_BLANK = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
NAME_PATTERN = f"^[^{_UNSHOWN}]*[^{_UNSHOWN}{_BLANK}][^{_UNSHOWN}]*$"
"""Names are shown in terminals: nothing that controls one, or turns its text around, and not blanks alone."""
_NAME = re.compile(NAME_PATTERN)
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_KEY_BITS = 256
_ENDED = "the key has ended; make a new one"
_REPLACED = "the key is being replaced already; rotate the one that takes its place, or make a new one"


class KeyService:
    """``random`` must be one whose numbers nobody can guess; ``pepper`` is what digests are made under.

    ``known`` is where this process remembers keys: what is ended here is refused here at once.
    """

    def __init__(
        self, accounts: AccountStore, known: KnownKeys, *, pepper: bytes, clock: Clock, random: Random
    ) -> None:
        self._accounts = accounts
        self._known = known
        self._pepper = pepper
        self._clock = clock
        self._random = random

    async def workspace(self, name: str) -> Workspace:
        """The workspace of that name, made if it is missing."""
        _check_name(name)
        now = self._clock.now()
        return await self._accounts.ensure_workspace(
            Workspace(id=new_id("wsp", now, self._random), name=name, created_at=now)
        )

    async def find_workspace(self, name: str) -> Workspace:
        """The workspace of that name; `NotFound` when there is none."""
        found = await self._accounts.find_workspace(name)
        if found is None:
            raise NotFound("workspace", name[:64])
        return found

    async def create(
        self, workspace_id: str, *, name: str, scopes: Collection[Scope], expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which is nowhere kept. `QuotaExceeded` where `MAX_KEYS` are valid."""
        _check_name(name)
        now = self._clock.now()
        _check_scopes(scopes)
        if expires_at is not None and expires_at <= now:
            raise InvalidRequest("the instant has passed", pointer="/expires_at")
        key, text = self._made(workspace_id, name, scopes, now, expires_at)
        await self._accounts.add_key(key, max_keys=MAX_KEYS)
        return key, text

    async def rotate(self, workspace_id: str, key_id: str, *, grace: timedelta) -> tuple[ApiKey, str]:
        """A new key like the old one, which is revoked after ``grace``.

        The new one expires when the old one would have. `Conflict` when the old one has ended, or was replaced before.
        """
        now = self._clock.now()
        old = next((key for key in await self._accounts.list_keys(workspace_id) if key.id == key_id), None)
        if old is None:
            raise NotFound("key", key_id)
        if not old.is_valid(now):
            raise Conflict(_ENDED)
        if old.revoked_at is not None:
            raise Conflict(_REPLACED)
        new, text = self._made(workspace_id, old.name, old.scopes, now, old.expires_at)
        try:
            replaced = await self._accounts.replace_key(
                key_id, new, revoked_at=now + grace, expires_at=None, max_keys=MAX_KEYS
            )
        finally:
            self._known.forget()
        if not replaced:
            raise Conflict(_REPLACED if grace else _ENDED)  # by another rotation, meanwhile
        return new, text

    def _made(
        self,
        workspace_id: str,
        name: str,
        scopes: Collection[Scope],
        now: datetime,
        expires_at: datetime | None,
    ) -> tuple[ApiKey, str]:
        text = key_from_bits(self._random.getrandbits(_KEY_BITS))
        key = ApiKey(
            id=new_id("key", now, self._random),
            workspace_id=workspace_id,
            name=name,
            prefix=display_prefix(text),
            digest=digest_of(text, self._pepper),
            scopes=frozenset(scopes),
            created_at=now,
            expires_at=expires_at,
        )
        return key, text

    async def list(self, workspace_id: str) -> Sequence[ApiKey]:
        now = self._clock.now()
        return [key.seen_at(now) for key in await self._accounts.list_keys(workspace_id)]

    async def revoke(self, workspace_id: str, key_id: str) -> ApiKey:
        """The key is refused from now on; revoking it again changes nothing. `NotFound` for an unknown one."""
        try:
            key = await self._accounts.end_key(workspace_id, key_id, revoked_at=self._clock.now(), expires_at=None)
        finally:
            self._known.forget()
        if key is None:
            raise NotFound("key", key_id[:64])
        return key


def _check_scopes(scopes: Collection[Scope]) -> None:
    if not scopes:
        raise InvalidRequest("a key has at least one scope", pointer="/scopes")
    if len(set(scopes)) < len(scopes):
        raise InvalidRequest("a scope is named once", pointer="/scopes")


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name) or _LONE_SURROGATE.search(name):
        raise InvalidRequest(f"a name has 1 to {MAX_NAME_LENGTH} printable characters", pointer="/name")
