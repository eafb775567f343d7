import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.domain.signature import derive_signing_secret
from cronhook_core.domain.workspace import SigningSecretVersion, Workspace
from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.builders import NOW, make_workspace
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.signing import CACHED_SECONDS, DerivedSigningKeys

SECRET_KEY = "an installation's secret, long enough"


class CountingAccounts(MemoryAccountStore):
    def __init__(self) -> None:
        super().__init__()
        self.lookups = 0
        self.away = False

    async def signing_versions(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        self.lookups += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        return await super().signing_versions(workspace_id)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def accounts() -> CountingAccounts:
    return CountingAccounts()


@pytest.fixture
def keys(accounts: CountingAccounts, clock: ManualClock) -> DerivedSigningKeys:
    return DerivedSigningKeys(accounts, secret_key=SECRET_KEY, clock=clock)


@pytest.fixture
async def workspace(accounts: CountingAccounts) -> Workspace:
    return await accounts.ensure_workspace(make_workspace())


def secret(workspace: Workspace, version: int) -> bytes:
    return derive_signing_secret(SECRET_KEY, workspace_id=workspace.id, version=version)


async def test_without_a_rotation_the_first_version_signs(keys: DerivedSigningKeys, workspace: Workspace) -> None:
    assert await keys.secrets(workspace.id) == [secret(workspace, 1)]


async def test_two_versions_sign_while_a_rotation_runs(
    keys: DerivedSigningKeys, workspace: Workspace, accounts: CountingAccounts, clock: ManualClock
) -> None:
    ends = clock.now() + timedelta(seconds=10)
    await accounts.rotate_signing_secret(workspace.id, now=clock.now(), old_expires_at=ends)
    assert await keys.secrets(workspace.id) == [secret(workspace, 2), secret(workspace, 1)]
    await clock.advance(10)
    assert await keys.secrets(workspace.id) == [secret(workspace, 2)]


async def test_callers_at_the_same_time_share_a_lookup(
    keys: DerivedSigningKeys, workspace: Workspace, accounts: CountingAccounts
) -> None:
    await asyncio.gather(*(keys.secrets(workspace.id) for _ in range(100)))
    await keys.secrets(workspace.id)
    assert accounts.lookups == 1


async def test_looks_again_when_the_cache_has_aged(
    keys: DerivedSigningKeys, workspace: Workspace, accounts: CountingAccounts, clock: ManualClock
) -> None:
    await keys.secrets(workspace.id)
    await clock.advance(CACHED_SECONDS)
    await keys.secrets(workspace.id)
    assert accounts.lookups == 2


async def test_what_was_known_stays_in_force_while_the_database_is_away(
    keys: DerivedSigningKeys, workspace: Workspace, accounts: CountingAccounts, clock: ManualClock
) -> None:
    known = await keys.secrets(workspace.id)
    accounts.away = True
    await clock.advance(3600)
    assert await keys.secrets(workspace.id) == known
    with pytest.raises(StoreUnavailable):
        await keys.secrets("wsp_never_seen")


async def test_a_caller_that_gives_up_takes_nobody_along(
    keys: DerivedSigningKeys, workspace: Workspace, accounts: CountingAccounts
) -> None:
    first, second = (asyncio.create_task(keys.secrets(workspace.id)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == [secret(workspace, 1)]
    assert accounts.lookups == 1
