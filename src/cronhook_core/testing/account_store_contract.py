"""The contract of `AccountStore`. A backend's test module subclasses `AccountStoreContract` and provides two fixtures.

``accounts``: an empty store. ``open_accounts``: opens one more store on the same database, as another process would
(the fixture closes it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from cronhook_core.domain.api_key import ApiKey, Scope
from cronhook_core.domain.workspace import SigningSecretVersion
from cronhook_core.errors import NotFound, Quota, QuotaExceeded
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.testing.builders import MINUTE, NOW, make_id, make_key, make_workspace

OpenAccounts = Callable[[], Awaitable[AccountStore]]
LATER = NOW + timedelta(hours=1)


class KeyIds:
    async def test_the_first_one_stays(self, accounts: AccountStore, open_accounts: OpenAccounts) -> None:
        assert await accounts.remember_key_id("first") == "first"
        assert await accounts.remember_key_id("second") == "first"
        assert await (await open_accounts()).remember_key_id("second") == "first"

    async def test_it_is_replaced_when_that_is_meant(self, accounts: AccountStore) -> None:
        assert await accounts.remember_key_id("first", anew=True) == "first"
        assert await accounts.remember_key_id("second", anew=True) == "second"
        assert await accounts.remember_key_id("first") == "second"

    async def test_racing_callers_get_the_same_one(self, accounts: AccountStore, open_accounts: OpenAccounts) -> None:
        stores = [accounts, *[await open_accounts() for _ in range(3)]]
        answers = await asyncio.gather(*(store.remember_key_id(f"key {n}") for n, store in enumerate(stores)))
        assert len(set(answers)) == 1


class Workspaces:
    async def test_a_workspace_is_stored(self, accounts: AccountStore, open_accounts: OpenAccounts) -> None:
        for workspace in (
            make_workspace(),
            make_workspace(max_jobs=0),
            make_workspace(max_jobs=7, name="né 東京 '; --"),
        ):
            assert await accounts.ensure_workspace(workspace) == workspace
            assert await accounts.get_workspace(workspace.id) == workspace
            assert await (await open_accounts()).get_workspace(workspace.id) == workspace

    async def test_the_one_that_has_the_name_is_returned(self, accounts: AccountStore) -> None:
        first = await accounts.ensure_workspace(make_workspace(name="default", max_jobs=3))
        second = make_workspace(name="default")
        assert await accounts.ensure_workspace(second) == first
        assert await accounts.ensure_workspace(first) == first
        assert await accounts.get_workspace(second.id) is None

    async def test_a_limit_is_set_and_taken_back(self, accounts: AccountStore, open_accounts: OpenAccounts) -> None:
        workspace = await accounts.ensure_workspace(make_workspace(max_jobs=3))
        other = await accounts.ensure_workspace(make_workspace())
        for limit in (5, 0, None, 10**9):
            limited = evolve(workspace, max_jobs=limit)
            assert await accounts.set_max_jobs(workspace.id, limit) == limited
            assert await (await open_accounts()).get_workspace(workspace.id) == limited
        assert await accounts.get_workspace(other.id) == other
        assert await accounts.set_max_jobs(make_id("wsp"), 1) is None

    async def test_names_are_taken_literally(self, accounts: AccountStore) -> None:
        names = ("default", "Default", "default ", "%", "_", "d%")
        made = [await accounts.ensure_workspace(make_workspace(name=name)) for name in names]
        assert [workspace.name for workspace in made] == list(names)
        assert len({workspace.id for workspace in made}) == len(names)

    async def test_an_unknown_workspace_is_absent(self, accounts: AccountStore) -> None:
        assert await accounts.get_workspace(make_id("wsp")) is None

    async def test_a_workspace_is_found_by_its_exact_name(self, accounts: AccountStore) -> None:
        made = await accounts.ensure_workspace(make_workspace(name="default"))
        assert await accounts.find_workspace("default") == made
        for name in ("Default", "default ", "%", ""):
            assert await accounts.find_workspace(name) is None

    async def test_racing_callers_get_the_same_one(self, accounts: AccountStore, open_accounts: OpenAccounts) -> None:
        stores = [accounts, *[await open_accounts() for _ in range(3)]]
        made = await asyncio.gather(*(stores[n % 4].ensure_workspace(make_workspace(name="raced")) for n in range(12)))
        assert len({workspace.id for workspace in made}) == 1
        assert await accounts.get_workspace(made[0].id) == made[0]


class Keys:
    @pytest.fixture
    async def workspace_id(self, accounts: AccountStore) -> str:
        return (await accounts.ensure_workspace(make_workspace())).id

    async def test_a_key_is_found_by_its_digest(
        self, accounts: AccountStore, open_accounts: OpenAccounts, workspace_id: str
    ) -> None:
        key = make_key(workspace_id, name="née '; -- 🦊", scopes=frozenset(Scope))
        await accounts.add_key(key)
        assert await accounts.find_key(key.digest) == key
        assert await (await open_accounts()).find_key(key.digest) == key

    async def test_every_field_is_kept(self, accounts: AccountStore, workspace_id: str) -> None:
        odd = NOW + timedelta(microseconds=1)
        key = make_key(
            workspace_id, scopes=frozenset(), created_at=odd, expires_at=LATER, revoked_at=odd, last_used_at=odd
        )
        await accounts.add_key(key)
        assert await accounts.find_key(key.digest) == key
        assert list(await accounts.list_keys(workspace_id)) == [key]

    async def test_an_unknown_digest_finds_nothing(self, accounts: AccountStore, workspace_id: str) -> None:
        key = make_key(workspace_id)
        await accounts.add_key(key)
        for digest in (b"", key.digest[:-1], key.digest + b"\x00", bytes(32)):
            assert await accounts.find_key(digest) is None

    async def test_repeating_it_is_a_no_op(self, accounts: AccountStore, workspace_id: str) -> None:
        key = make_key(workspace_id)
        await accounts.add_key(key)
        await accounts.add_key(evolve(key, name="another"))
        assert list(await accounts.list_keys(workspace_id)) == [key]

    async def test_an_unknown_workspace_is_not_found(self, accounts: AccountStore) -> None:
        key = make_key(make_id("wsp"))
        with pytest.raises(NotFound):
            await accounts.add_key(key)
        assert await accounts.find_key(key.digest) is None

    async def test_keys_are_listed_newest_first(self, accounts: AccountStore, workspace_id: str) -> None:
        other = (await accounts.ensure_workspace(make_workspace())).id
        await accounts.add_key(make_key(other))
        made = {n: make_key(workspace_id, id=make_id("key", NOW + n * MINUTE)) for n in (2, 0, 3, 1)}
        for key in made.values():
            await accounts.add_key(key)
        assert list(await accounts.list_keys(workspace_id)) == [made[n] for n in (3, 2, 1, 0)]
        assert list(await accounts.list_keys(make_id("wsp"))) == []

    async def test_ended_keys_are_still_found_and_listed(self, accounts: AccountStore, workspace_id: str) -> None:
        revoked, expired = make_key(workspace_id, revoked_at=NOW), make_key(workspace_id, expires_at=NOW)
        for key in (revoked, expired):
            await accounts.add_key(key)
            assert await accounts.find_key(key.digest) == key
        assert set(await accounts.list_keys(workspace_id)) == {revoked, expired}

    @pytest.mark.parametrize(
        ("stored", "wanted", "kept"),
        [
            ((None, None), (NOW, None), (NOW, None)),
            ((None, None), (None, LATER), (None, LATER)),
            ((None, LATER), (None, NOW), (None, NOW)),
            ((None, NOW), (None, LATER), (None, NOW)),
            ((NOW, None), (LATER, None), (NOW, None)),
            ((LATER, None), (NOW, None), (NOW, None)),
            ((NOW, LATER), (None, None), (NOW, LATER)),
            ((None, LATER), (NOW, None), (NOW, LATER)),
        ],
    )
    async def test_an_end_only_comes_nearer(
        self,
        accounts: AccountStore,
        workspace_id: str,
        stored: tuple[datetime | None, datetime | None],
        wanted: tuple[datetime | None, datetime | None],
        kept: tuple[datetime | None, datetime | None],
    ) -> None:
        key = make_key(workspace_id, revoked_at=stored[0], expires_at=stored[1])
        await accounts.add_key(key)
        for _ in range(2):
            ended = await accounts.end_key(workspace_id, key.id, revoked_at=wanted[0], expires_at=wanted[1])
            assert ended == evolve(key, revoked_at=kept[0], expires_at=kept[1])
            assert await accounts.find_key(key.digest) == ended

    async def test_an_unknown_or_foreign_key_is_not_ended(self, accounts: AccountStore, workspace_id: str) -> None:
        key = make_key(workspace_id)
        await accounts.add_key(key)
        foreign = (await accounts.ensure_workspace(make_workspace())).id
        assert await accounts.end_key(foreign, key.id, revoked_at=NOW, expires_at=NOW) is None
        assert await accounts.end_key(workspace_id, make_id("key"), revoked_at=NOW, expires_at=NOW) is None
        assert await accounts.find_key(key.digest) == key

    async def test_a_key_is_replaced_at_once_or_not_at_all(self, accounts: AccountStore, workspace_id: str) -> None:
        old, new, late = make_key(workspace_id), make_key(workspace_id), make_key(workspace_id)
        await accounts.add_key(old)
        assert await accounts.replace_key(old.id, new, revoked_at=NOW, expires_at=None)
        assert await accounts.find_key(new.digest) == new
        assert await accounts.find_key(old.digest) == evolve(old, revoked_at=NOW)
        assert not await accounts.replace_key(old.id, late, revoked_at=NOW, expires_at=None)
        foreign = make_key((await accounts.ensure_workspace(make_workspace())).id)
        assert not await accounts.replace_key(new.id, foreign, revoked_at=NOW, expires_at=None)
        assert [await accounts.find_key(key.digest) for key in (late, foreign, new)] == [None, None, new]

    async def test_of_racing_replacements_one_takes_place(
        self, accounts: AccountStore, open_accounts: OpenAccounts, workspace_id: str
    ) -> None:
        old = make_key(workspace_id)
        new = [make_key(workspace_id, created_at=NOW - n * timedelta(milliseconds=1)) for n in range(8)]
        await accounts.add_key(old)
        stores = [accounts, *[await open_accounts() for _ in range(3)]]
        replacing = (
            stores[n % 4].replace_key(old.id, key, revoked_at=NOW, expires_at=None) for n, key in enumerate(new)
        )
        assert sorted(await asyncio.gather(*replacing)) == [False] * 7 + [True]
        assert len(await accounts.list_keys(workspace_id)) == 2

    async def test_so_many_keys_are_valid_at_once_and_no_more(self, accounts: AccountStore, workspace_id: str) -> None:
        for ended in (make_key(workspace_id, revoked_at=NOW), make_key(workspace_id, expires_at=NOW)):
            await accounts.add_key(ended)
        first = make_key(workspace_id, expires_at=LATER)
        for key in (first, make_key(workspace_id, revoked_at=LATER)):
            await accounts.add_key(key, max_keys=2)
        surplus = make_key(workspace_id)
        with pytest.raises(QuotaExceeded) as refused:
            await accounts.add_key(surplus, max_keys=2)
        assert (refused.value.limit, refused.value.quota) == (2, Quota.KEYS)
        assert await accounts.find_key(surplus.digest) is None
        await accounts.end_key(workspace_id, first.id, revoked_at=NOW, expires_at=None)
        await accounts.add_key(surplus, max_keys=2)
        await accounts.add_key(make_key((await accounts.ensure_workspace(make_workspace())).id), max_keys=1)

    async def test_racing_keys_reach_the_limit_exactly(
        self, accounts: AccountStore, open_accounts: OpenAccounts, workspace_id: str
    ) -> None:
        stores = [accounts, *[await open_accounts() for _ in range(3)]]
        outcomes = await asyncio.gather(
            *(stores[n % 4].add_key(make_key(workspace_id), max_keys=3) for n in range(12)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes].count(QuotaExceeded) == 9
        assert len(await accounts.list_keys(workspace_id)) == 3

    async def test_a_key_is_replaced_at_the_limit_unless_both_stay_valid(
        self, accounts: AccountStore, workspace_id: str
    ) -> None:
        old, new = make_key(workspace_id), make_key(workspace_id)
        await accounts.add_key(old, max_keys=1)
        with pytest.raises(QuotaExceeded):
            await accounts.replace_key(old.id, new, revoked_at=LATER, expires_at=None, max_keys=1)
        assert await accounts.find_key(old.digest) == old
        assert await accounts.find_key(new.digest) is None
        assert await accounts.replace_key(old.id, new, revoked_at=NOW, expires_at=None, max_keys=1)

    async def test_as_many_ended_keys_are_kept_the_newest_ones(self, accounts: AccountStore, workspace_id: str) -> None:
        other = make_key((await accounts.ensure_workspace(make_workspace())).id, revoked_at=NOW)
        await accounts.add_key(other)
        ended = [make_key(workspace_id, id=make_id("key", NOW + n * MINUTE), revoked_at=NOW) for n in range(5)]
        for key in ended:
            await accounts.add_key(key)
        new = make_key(workspace_id, id=make_id("key", LATER))
        await accounts.add_key(new, max_keys=2)
        assert list(await accounts.list_keys(workspace_id)) == [new, ended[4], ended[3]]
        assert await accounts.find_key(ended[0].digest) is None
        assert await accounts.find_key(other.digest) == other

    async def test_the_last_use_only_moves_forward(self, accounts: AccountStore, workspace_id: str) -> None:
        key, other, unused = [make_key(workspace_id) for _ in range(3)]
        for made in (key, other, unused):
            await accounts.add_key(made)
        await accounts.touch_keys([(key.id, LATER), (other.id, NOW), (make_id("key"), LATER)])
        await accounts.touch_keys([(key.id, NOW), (other.id, LATER), (other.id, NOW)])
        await accounts.touch_keys([])
        used = [await accounts.find_key(made.digest) for made in (key, other, unused)]
        assert [found and found.last_used_at for found in used] == [LATER, LATER, None]
        assert used[0] == evolve(key, last_used_at=LATER)

    async def test_racing_uses_leave_the_latest(
        self, accounts: AccountStore, open_accounts: OpenAccounts, workspace_id: str
    ) -> None:
        keys = [make_key(workspace_id) for _ in range(5)]
        for key in keys:
            await accounts.add_key(key)
        stores = [accounts, await open_accounts()]
        await asyncio.gather(
            *(
                stores[n % 2].touch_keys([(key.id, NOW + n * MINUTE) for key in (keys if n % 2 else keys[::-1])])
                for n in range(8)
            )
        )
        found: list[ApiKey | None] = [await accounts.find_key(key.digest) for key in keys]
        assert found == [evolve(key, last_used_at=NOW + 7 * MINUTE) for key in keys]


class SigningSecrets:
    async def test_a_workspace_has_none_until_the_first_rotation(self, accounts: AccountStore) -> None:
        workspace = await accounts.ensure_workspace(make_workspace())
        assert list(await accounts.signing_versions(workspace.id)) == []
        assert list(await accounts.signing_versions(make_id("wsp"))) == []

    async def test_each_rotation_adds_a_version_and_ends_the_current_one(
        self, accounts: AccountStore, open_accounts: OpenAccounts
    ) -> None:
        workspace = await accounts.ensure_workspace(make_workspace())
        second = await accounts.rotate_signing_secret(workspace.id, now=LATER, old_expires_at=LATER + MINUTE)
        assert second == SigningSecretVersion(workspace_id=workspace.id, version=2, created_at=LATER)
        first = SigningSecretVersion(
            workspace_id=workspace.id, version=1, created_at=workspace.created_at, expires_at=LATER + MINUTE
        )
        assert list(await accounts.signing_versions(workspace.id)) == [second, first]
        third = await accounts.rotate_signing_secret(
            workspace.id, now=LATER + MINUTE, old_expires_at=LATER + 3 * MINUTE
        )
        assert list(await (await open_accounts()).signing_versions(workspace.id)) == [
            third,
            evolve(second, expires_at=LATER + 3 * MINUTE),
            first,
        ]

    async def test_workspaces_are_apart(self, accounts: AccountStore) -> None:
        mine, other = [(await accounts.ensure_workspace(make_workspace())).id for _ in range(2)]
        await accounts.rotate_signing_secret(mine, now=NOW, old_expires_at=LATER)
        assert list(await accounts.signing_versions(other)) == []

    async def test_an_unknown_workspace_is_not_found(self, accounts: AccountStore) -> None:
        with pytest.raises(NotFound):
            await accounts.rotate_signing_secret(make_id("wsp"), now=NOW, old_expires_at=LATER)

    async def test_racing_rotations_each_add_one(self, accounts: AccountStore, open_accounts: OpenAccounts) -> None:
        workspace = await accounts.ensure_workspace(make_workspace())
        stores = [accounts, *[await open_accounts() for _ in range(3)]]
        added = await asyncio.gather(
            *(
                stores[n % 4].rotate_signing_secret(workspace.id, now=NOW, old_expires_at=LATER + n * MINUTE)
                for n in range(8)
            )
        )
        assert sorted(secret.version for secret in added) == list(range(2, 10))
        versions = await accounts.signing_versions(workspace.id)
        assert [secret.version for secret in versions] == list(range(9, 0, -1))
        assert [secret.expires_at is None for secret in versions] == [True] + [False] * 8


class AccountStoreContract:
    """Everything that an `AccountStore` promises; pytest collects the parts as classes within the subclass."""

    TestKeyIds = KeyIds
    TestWorkspaces = Workspaces
    TestKeys = Keys
    TestSigningSecrets = SigningSecrets
