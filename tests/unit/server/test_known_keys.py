"""Keys that are remembered: for a second, and never beyond an end that this process made."""

import asyncio
from datetime import timedelta
from random import Random

import pytest
from attrs import evolve

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.rate_limiter import MemoryRateLimiter
from cronhook_core.domain.api_key import ApiKey, Scope
from cronhook_core.errors import StoreUnavailable, Unauthenticated
from cronhook_core.testing.builders import NOW, make_key, make_workspace
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.auth import Authenticator
from cronhook_server.guessing import FailureLimit
from cronhook_server.key_service import KeyService
from cronhook_server.known_keys import KNOWN_FOR_SECONDS, MOST_KNOWN, KnownKeys

PEPPER = b"pepper"


def client() -> str:
    return "client"


class WatchedAccounts(MemoryAccountStore):
    """Counts look-ups and recorded uses; look-ups wait while ``gate`` is shut, and see what was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up = self.touched = 0
        self.away = False
        self.gate, self.asked = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def find_key(self, digest: bytes) -> ApiKey | None:
        self.looked_up += 1
        if self.away:
            raise StoreUnavailable("away")
        found = await super().find_key(digest)
        self.asked.set()
        await self.gate.wait()
        return found

    async def touch_keys(self, used: object) -> None:
        self.touched += 1
        await super().touch_keys(used)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def accounts() -> WatchedAccounts:
    return WatchedAccounts()


@pytest.fixture
def known(accounts: WatchedAccounts, clock: ManualClock) -> KnownKeys:
    return KnownKeys(accounts, clock)


@pytest.fixture
def keys(accounts: WatchedAccounts, known: KnownKeys, clock: ManualClock) -> KeyService:
    return KeyService(accounts, known, pepper=PEPPER, clock=clock, random=Random(4))


@pytest.fixture
def authenticator(accounts: WatchedAccounts, known: KnownKeys, clock: ManualClock) -> Authenticator:
    failures = FailureLimit(MemoryRateLimiter(clock), per_minute=100)
    return Authenticator(accounts, known, pepper=PEPPER, clock=clock, failures=failures)


async def made(accounts: WatchedAccounts, keys: KeyService) -> tuple[ApiKey, str]:
    workspace = await accounts.ensure_workspace(make_workspace())
    return await keys.create(workspace.id, name="tests", scopes=(Scope.READ,))


async def test_a_key_is_looked_up_once_a_second_and_its_use_recorded_once_a_minute(
    accounts: WatchedAccounts, keys: KeyService, authenticator: Authenticator, clock: ManualClock
) -> None:
    _, text = await made(accounts, keys)
    for _ in range(3):
        for _ in range(5):
            await authenticator.authenticate([text], client)
        await clock.advance(KNOWN_FOR_SECONDS)
    assert (accounts.looked_up, accounts.touched) == (3, 1)


async def test_requests_that_come_together_share_a_look_up(
    accounts: WatchedAccounts, keys: KeyService, authenticator: Authenticator
) -> None:
    key, text = await made(accounts, keys)
    found = await asyncio.gather(*(authenticator.authenticate([text], client) for _ in range(20)))
    assert {one.id for one in found} == {key.id}
    assert accounts.looked_up == 1


@pytest.mark.parametrize("end", ["revoke", "rotate"])
async def test_what_is_ended_here_is_refused_at_once(
    accounts: WatchedAccounts, keys: KeyService, authenticator: Authenticator, end: str
) -> None:
    key, text = await made(accounts, keys)
    await authenticator.authenticate([text], client)
    if end == "revoke":
        await keys.revoke(key.workspace_id, key.id)
    else:
        await keys.rotate(key.workspace_id, key.id, grace=timedelta())
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate([text], client)


async def test_a_look_up_from_before_the_end_is_not_remembered(
    accounts: WatchedAccounts, keys: KeyService, authenticator: Authenticator
) -> None:
    key, text = await made(accounts, keys)
    accounts.gate.clear()
    before = asyncio.create_task(authenticator.authenticate([text], client))
    await accounts.asked.wait()
    await keys.revoke(key.workspace_id, key.id)
    after = asyncio.create_task(authenticator.authenticate([text], client))
    await asyncio.sleep(0)
    accounts.gate.set()
    assert (await before).id == key.id
    with pytest.raises(Unauthenticated):
        await after
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate([text], client)


async def test_what_another_process_ended_is_refused_within_a_second(
    accounts: WatchedAccounts, keys: KeyService, authenticator: Authenticator, clock: ManualClock
) -> None:
    key, text = await made(accounts, keys)
    await authenticator.authenticate([text], client)
    await accounts.end_key(key.workspace_id, key.id, revoked_at=NOW, expires_at=None)
    await authenticator.authenticate([text], client)
    await clock.advance(KNOWN_FOR_SECONDS)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate([text], client)


async def test_expiry_is_judged_at_every_request(
    accounts: WatchedAccounts, keys: KeyService, authenticator: Authenticator, clock: ManualClock
) -> None:
    key, text = await made(accounts, keys)
    accounts._db.keys[key.id] = evolve(key, expires_at=NOW + timedelta(seconds=KNOWN_FOR_SECONDS / 2))
    await authenticator.authenticate([text], client)
    await clock.advance(KNOWN_FOR_SECONDS / 2)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate([text], client)
    assert accounts.looked_up == 1


async def test_an_unknown_key_is_not_remembered(accounts: WatchedAccounts, known: KnownKeys) -> None:
    workspace = await accounts.ensure_workspace(make_workspace())
    key = make_key(workspace.id)
    assert await known.look_up(key.digest) is None
    assert known.remembered(key.digest) is None
    await accounts.add_key(key)
    assert await known.look_up(key.digest) == key


async def test_a_look_up_that_fails_is_tried_again(accounts: WatchedAccounts, known: KnownKeys) -> None:
    workspace = await accounts.ensure_workspace(make_workspace())
    await accounts.add_key(key := make_key(workspace.id))
    accounts.away = True
    failed = await asyncio.gather(known.look_up(key.digest), known.look_up(key.digest), return_exceptions=True)
    assert [type(error) for error in failed] == [StoreUnavailable] * 2
    accounts.away = False
    assert await known.look_up(key.digest) == key


async def test_a_caller_that_leaves_does_not_take_the_answer_away(accounts: WatchedAccounts, known: KnownKeys) -> None:
    workspace = await accounts.ensure_workspace(make_workspace())
    await accounts.add_key(key := make_key(workspace.id))
    accounts.gate.clear()
    leaving, staying = (asyncio.create_task(known.look_up(key.digest)) for _ in range(2))
    await accounts.asked.wait()
    leaving.cancel()
    await asyncio.wait([leaving])
    accounts.gate.set()
    assert await staying == key
    assert accounts.looked_up == 1


async def test_memory_is_bounded(accounts: WatchedAccounts, known: KnownKeys) -> None:
    workspace = await accounts.ensure_workspace(make_workspace())
    many = [make_key(workspace.id, digest=number.to_bytes(32, "big")) for number in range(MOST_KNOWN + 1)]
    for key in many:
        await accounts.add_key(key)
        await known.look_up(key.digest)
    assert known.remembered(many[-1].digest) == many[-1]
    assert known.remembered(many[0].digest) is None
