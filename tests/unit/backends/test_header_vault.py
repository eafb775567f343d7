"""Secret headers are sealed for one job and one header, under one key, and nothing else opens them."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronhook_core.backends.header_vault import AesGcmHeaderVault
from cronhook_core.domain.callback_headers import check_headers, check_sendable
from cronhook_core.domain.key_derivation import derive_key
from cronhook_core.domain.sealed_values import SealedValue, is_sealed
from cronhook_core.errors import InvalidHeaders, UnreadableSecret

SECRET_KEY = "a secret of at least thirty-two characters"
JOB = "job_01arz3ndektsv4rrffq69g5fav"
VALUE = "Bearer canary-of-the-header"

header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200)


@pytest.fixture
def vault() -> AesGcmHeaderVault:
    return AesGcmHeaderVault(SECRET_KEY)


@given(header_values)
def test_what_is_sealed_is_opened(value: str) -> None:
    vault = AesGcmHeaderVault(SECRET_KEY)
    sealed = vault.seal(value, job_id=JOB, name="Authorization")
    assert AesGcmHeaderVault(SECRET_KEY).open(sealed, job_id=JOB, name="authorization") == value
    assert is_sealed(sealed)
    assert SealedValue.parse(sealed).hidden_length == len(value)


def test_nothing_of_the_value_shows(vault: AesGcmHeaderVault) -> None:
    sealed = vault.seal(VALUE, job_id=JOB, name="authorization")
    assert "canary" not in sealed
    assert b64encode(VALUE.encode()).decode()[:12] not in sealed
    assert SECRET_KEY not in f"{vault!r} {SealedValue.parse(sealed)!r}"


def test_the_same_value_is_never_sealed_alike(vault: AesGcmHeaderVault) -> None:
    assert len({vault.seal(VALUE, job_id=JOB, name="cookie") for _ in range(1000)}) == 1000


def test_the_nonce_is_what_the_source_of_randomness_gives() -> None:
    vault = AesGcmHeaderVault(SECRET_KEY, random_bytes=lambda size: b"n" * size)
    assert SealedValue.parse(vault.seal(VALUE, job_id=JOB, name="cookie")).box[:12] == b"n" * 12


@pytest.mark.parametrize(("job_id", "name"), [("job_other", "authorization"), (JOB, "cookie"), (JOB + "\0", "")])
def test_it_opens_for_its_own_job_and_header_only(vault: AesGcmHeaderVault, job_id: str, name: str) -> None:
    sealed = vault.seal(VALUE, job_id=JOB, name="authorization")
    with pytest.raises(UnreadableSecret, match="not what was encrypted for this job and this header"):
        vault.open(sealed, job_id=job_id, name=name)


def test_another_key_says_so_and_tells_the_keys_apart(vault: AesGcmHeaderVault) -> None:
    sealed = vault.seal(VALUE, job_id=JOB, name="authorization")
    other = AesGcmHeaderVault(SECRET_KEY + "!")
    with pytest.raises(UnreadableSecret) as refusal:
        other.open(sealed, job_id=JOB, name="authorization")
    text = str(refusal.value)
    assert "another CRONHOOK_SECRET_KEY" in text
    assert vault.key_id in text
    assert other.key_id in text
    assert "canary" not in text


def test_the_key_id_says_nothing_of_the_key(vault: AesGcmHeaderVault) -> None:
    key = derive_key(SECRET_KEY, "callback-headers")
    assert len(vault.key_id) == 8
    assert vault.key_id not in key.hex()
    assert vault.key_id not in derive_key(SECRET_KEY, "api-key-pepper").hex()


def test_every_changed_byte_is_noticed(vault: AesGcmHeaderVault) -> None:
    box = SealedValue.parse(vault.seal(VALUE, job_id=JOB, name="cookie")).box
    for index in range(len(box)):
        changed = bytearray(box)
        changed[index] ^= 1
        with pytest.raises(UnreadableSecret, match="not what was encrypted"):
            vault.open(str(SealedValue(key_id=vault.key_id, box=bytes(changed))), job_id=JOB, name="cookie")


@pytest.mark.parametrize("text", ["", "plain", "§", "§k", "§k.", "§k.!!!!", "§k.AAAA", "§.\ud800"])
def test_damaged_values_are_told(vault: AesGcmHeaderVault, text: str) -> None:
    with pytest.raises(UnreadableSecret, match="damaged"):
        vault.open(text, job_id=JOB, name="cookie")


class TestNobodyCanWriteOne:
    def sealed(self, value: str = VALUE) -> str:
        return AesGcmHeaderVault(SECRET_KEY).seal(value, job_id=JOB, name="authorization")

    def test_not_a_user(self) -> None:
        with pytest.raises(InvalidHeaders, match="visible ASCII"):
            check_headers({"authorization": self.sealed()})

    def test_not_even_another_one_than_the_stored(self) -> None:
        with pytest.raises(InvalidHeaders):
            check_headers({"authorization": self.sealed()}, [("authorization", self.sealed())])

    def test_nor_the_stored_one_under_another_name(self) -> None:
        stored = self.sealed()
        with pytest.raises(InvalidHeaders):
            check_headers({"x-token": stored}, [("authorization", stored)])

    def test_the_stored_one_stays(self) -> None:
        stored = self.sealed()
        headers = {"Authorization": stored, "accept": "*/*"}
        assert check_headers(headers, [("authorization", stored)]) == tuple(headers.items())

    def test_what_is_hidden_counts(self) -> None:
        stored = [(f"x-token-{n}", self.sealed("x" * 4096)) for n in range(4)]
        with pytest.raises(InvalidHeaders, match="all headers together"):
            check_headers(dict(stored), stored)

    def test_unopened_it_is_never_sent(self) -> None:
        with pytest.raises(InvalidHeaders):
            check_sendable([("authorization", self.sealed())])
