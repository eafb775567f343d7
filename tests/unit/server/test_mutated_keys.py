"""Ten thousand keys that are nearly the right one, through the check that every request passes: all refused."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from random import Random

import pytest
from attrs import evolve

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.rate_limiter import MemoryRateLimiter
from cronhook_core.domain.api_key import ApiKey, Scope, is_well_formed, key_from_bits
from cronhook_core.errors import Unauthenticated
from cronhook_core.testing.builders import NOW, make_workspace
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.auth import Authenticator
from cronhook_server.guessing import FailureLimit
from cronhook_server.key_service import KeyService
from cronhook_server.known_keys import KnownKeys
from cronhook_server.secret_key import pepper_of

PEPPER = pepper_of("a secret of at least thirty-two characters")
MUTATIONS = 10_000
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LOOK_ALIKES = {"0": "O", "O": "0", "1": "l", "l": "1", "a": "\u0430", "c": "\u0441", "e": "\u0435", "_": "\uff3f"}


def client() -> str:
    return "client"


class CountingAccounts(MemoryAccountStore):
    looked_up = 0

    async def find_key(self, digest: bytes) -> ApiKey | None:
        self.looked_up += 1
        return await super().find_key(digest)


@pytest.fixture
def accounts() -> CountingAccounts:
    return CountingAccounts()


@pytest.fixture
def authenticator(accounts: CountingAccounts) -> Authenticator:
    clock = ManualClock(NOW)
    failures = FailureLimit(MemoryRateLimiter(clock), per_minute=10**6)
    return Authenticator(accounts, KnownKeys(accounts, clock), pepper=PEPPER, clock=clock, failures=failures)


@pytest.fixture
async def key(accounts: CountingAccounts) -> str:
    workspace = await accounts.ensure_workspace(make_workspace())
    clock = ManualClock(NOW)
    keys = KeyService(accounts, KnownKeys(accounts, clock), pepper=PEPPER, clock=clock, random=Random(4))
    _, text = await keys.create(workspace.id, name="tests", scopes=(Scope.READ,))
    return text


def bits_of(key: str) -> int:
    bits = 0
    for character in key[4:47]:
        bits = bits * 62 + ALPHABET.index(character)
    return bits


def mutations(key: str, random: Random) -> Iterator[list[str]]:
    """The values of the header, each list another wrong way to write the key."""
    yield from ([], [""], [key, key], [key, ""], [f"{key},{key}"], [f"Bearer {key}"], [key * 2], [key[::-1]])
    for edge in (" ", "\t", "\r\n", "\0", "\u00a0", "\u200b", "=", "'", "%00"):
        yield from ([edge + key], [key + edge], [key[:20] + edge + key[20:]])
    for index, character in enumerate(key):
        for other in ALPHABET:
            if other != character:
                yield [key[:index] + other + key[index + 1 :]]
        yield [key[:index] + key[index + 1 :]]
        yield [key[:index] + character + key[index:]]
        if character != character.swapcase():
            yield [key[:index] + character.swapcase() + key[index + 1 :]]
        if character in LOOK_ALIKES:
            yield [key[:index] + LOOK_ALIKES[character] + key[index + 1 :]]
        if index + 1 < len(key) and character != key[index + 1]:
            yield [key[:index] + key[index + 1] + character + key[index + 2 :]]
    yield from ([key.lower()], [key.upper()], [key.swapcase()])
    yield from ([key[:length]] for length in range(len(key)))
    bits = bits_of(key)
    yield from ([key_from_bits(bits ^ 1 << bit)] for bit in range(256))  # well formed, its checksum right
    while True:
        yield [key_from_bits(bits + random.choice((-1, 1)) * random.getrandbits(random.randrange(1, 200)) or 1)]


async def refused(authenticator: Authenticator, written: list[str]) -> bool:
    try:
        await authenticator.authenticate(written, client)
    except Unauthenticated:
        return True
    return False


async def test_ten_thousand_mutated_keys(authenticator: Authenticator, accounts: CountingAccounts, key: str) -> None:
    assert (await authenticator.authenticate([key], client)).name == "tests"
    tried = [written for written in islice(mutations(key, Random(6)), MUTATIONS + 200) if written != [key]]
    assert len(tried) >= MUTATIONS
    accounts.looked_up = 0
    assert [written for written in tried if not await refused(authenticator, written)] == []
    well_formed = sum(len(written) == 1 and is_well_formed(written[0]) for written in tried)
    assert accounts.looked_up == well_formed > MUTATIONS // 2, "most got as far as the look-up"
    assert not await refused(authenticator, [key]), "and the key is as good as before"


@pytest.mark.parametrize("ended", [{"revoked_at": NOW}, {"expires_at": NOW - timedelta(seconds=1)}])
async def test_keys_that_ended(
    authenticator: Authenticator, accounts: CountingAccounts, key: str, ended: dict[str, object]
) -> None:
    stored = next(iter(accounts._db.keys.values()))
    accounts._db.keys[stored.id] = evolve(stored, **ended)
    assert await refused(authenticator, [key])


async def test_the_same_key_under_another_pepper(accounts: CountingAccounts, key: str) -> None:
    clock = ManualClock(NOW)
    failures = FailureLimit(MemoryRateLimiter(clock), per_minute=10)
    pepper = pepper_of("another" * 10)
    other = Authenticator(accounts, KnownKeys(accounts, clock), pepper=pepper, clock=clock, failures=failures)
    assert await refused(other, [key])
