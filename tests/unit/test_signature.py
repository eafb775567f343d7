"""Signatures against the standard's example, an independent verifier and an independent derivation."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from cronhook_core.domain.key_derivation import derive_key
from cronhook_core.domain.signature import decode_secret, derive_signing_secret, encode_secret, sign, signature_header

# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
EXAMPLE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
EXAMPLE_TIMESTAMP = 1614265330
EXAMPLE_BODY = b'{"test": 2432232314}'
EXAMPLE_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_standard() -> None:
    secret = decode_secret(EXAMPLE_SECRET)
    signature = sign(secret, webhook_id=EXAMPLE_ID, timestamp=EXAMPLE_TIMESTAMP, body=EXAMPLE_BODY)
    assert signature == EXAMPLE_SIGNATURE


@given(
    secret=st.binary(min_size=24, max_size=64),
    webhook_id=st.from_regex(r"exe_[0-9a-z]{26}", fullmatch=True),
    value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")), st.lists),
)
def test_an_independent_verifier_agrees(secret: bytes, webhook_id: str, value: object) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    timestamp = int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body),
    }
    verifier = Webhook(encode_secret(secret))
    assert verifier.verify(body.decode(), headers) == value
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body.decode() + " ", headers)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body.decode(), headers | {"webhook-id": webhook_id + "x"})


def test_two_secrets_sign_side_by_side_while_a_rotation_runs() -> None:
    old, new = b"o" * 32, b"n" * 32
    timestamp = int(datetime.now(UTC).timestamp())
    value = signature_header([new, old], webhook_id="exe_1", timestamp=timestamp, body=b"null")
    assert len(value.split(" ")) == 2
    headers = {"webhook-id": "exe_1", "webhook-timestamp": str(timestamp), "webhook-signature": value}
    for secret in (old, new):
        Webhook(encode_secret(secret)).verify("null", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(encode_secret(b"x" * 32)).verify("null", headers)


def test_bodies_are_signed_as_bytes() -> None:
    assert sign(b"s" * 32, webhook_id="exe_1", timestamp=1, body=b"\xff\x00").startswith("v1,")


@given(st.binary(min_size=32, max_size=80), st.integers(min_value=1, max_value=10**6))
def test_an_independent_derivation_agrees(secret_key: bytes, version: int) -> None:
    info = b"\0".join([b"cronhook", b"signing-secret", b"wsp_a", str(version).encode()])
    expected = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret_key)
    assert derive_signing_secret(secret_key, workspace_id="wsp_a", version=version) == expected


def test_derived_secrets_are_apart() -> None:
    text = "a secret key of at least 32 characters é"
    derived = {
        derive_signing_secret(key, workspace_id=workspace, version=version)
        for key in (text, text + "x")
        for workspace in ("wsp_a", "wsp_b")
        for version in (1, 2, 12)
    }
    assert len(derived) == 12
    assert derive_signing_secret(text, workspace_id="wsp_a", version=1) in derived
    assert derive_signing_secret(text.encode(), workspace_id="wsp_a", version=1) in derived
    assert not derived & {hashlib.sha256(text.encode()).digest()}


def test_words_of_a_purpose_cannot_run_into_each_other() -> None:
    assert derive_key("k" * 32, "a", "bc") != derive_key("k" * 32, "ab", "c")
    with pytest.raises(ValueError, match="NUL"):
        derive_key("k" * 32, "a\0b")


@given(st.binary(max_size=64))
def test_secrets_survive_their_text_form(secret: bytes) -> None:
    assert decode_secret(encode_secret(secret)) == secret


@pytest.mark.parametrize("text", ["", "MfKQ9r8GKYqrTwjU", "whsec_***", "whsec_abc", "whsec_é", "WHSEC_AAAA"])
def test_a_wrong_secret_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="a signing secret") as refusal:
        decode_secret(text)
    assert "***" not in str(refusal.value)
