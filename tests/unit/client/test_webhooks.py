"""Verifying webhooks, against the signer of the core and an independent one."""

import json
import pickle
import wsgiref.headers
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_string
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from cronhook_client import webhook_errors
from cronhook_client.webhooks import (
    Delivery,
    InvalidSecret,
    MalformedHeader,
    MissingHeader,
    SignatureMismatch,
    TimestampOutOfTolerance,
    Webhook,
    WebhookVerificationError,
)
from cronhook_core.domain.signature import encode_secret, signature_header

SECRET, OTHER = b"s" * 32, b"o" * 24
NOW = 1_900_000_000
BODY = b'{"report":"sales"}'
ID = "exe_01arz3ndektsv4rrffq69g5fav"


def headers_of(
    *secrets: bytes, body: bytes = BODY, at: int = NOW, execution_id: str = ID, **further: str
) -> dict[str, str]:
    signature = signature_header(secrets or (SECRET,), webhook_id=execution_id, timestamp=at, body=body)
    signed = {"webhook-id": execution_id, "webhook-timestamp": str(at), "webhook-signature": signature}
    return signed | {name.replace("_", "-"): value for name, value in further.items()}


def webhook(*secrets: bytes, **options: Any) -> Webhook:
    return Webhook([encode_secret(secret) for secret in secrets or (SECRET,)], clock=lambda: float(NOW), **options)


def test_a_webhook_of_ours() -> None:
    headers = headers_of(
        cronhook_job_id="job_1", cronhook_scheduled_for="2030-01-31T08:00:00.500000Z", cronhook_attempt="2"
    )
    delivery = webhook().verify(BODY, headers)
    assert delivery == Delivery(
        execution_id=ID,
        timestamp=datetime.fromtimestamp(NOW, UTC),
        body=BODY,
        job_id="job_1",
        scheduled_for=datetime(2030, 1, 31, 8, 0, 0, 500_000, tzinfo=UTC),
        attempt=2,
    )
    assert delivery.json() == {"report": "sales"}
    assert "sales" not in repr(delivery)
    assert pickle.loads(pickle.dumps(delivery)) == delivery


@given(secret=st.binary(min_size=24, max_size=64), body=st.text(st.characters(codec="utf-8")).map(json.dumps))
def test_an_independent_signer_agrees(secret: bytes, body: str) -> None:
    text = encode_secret(secret)
    at = datetime.fromtimestamp(NOW, UTC)
    headers = {
        "webhook-id": ID,
        "webhook-timestamp": str(NOW),
        "webhook-signature": standardwebhooks.Webhook(text).sign(ID, at, body),
    }
    assert Webhook(text, clock=lambda: float(NOW)).verify(body, headers).body == body.encode()


def test_the_example_of_the_standard() -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    delivery = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", clock=lambda: 1614265330.0).verify(
        b'{"test": 2432232314}',
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
    )
    assert delivery.execution_id == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize(
    "written",
    [
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
        lambda headers: {name.encode(): value.encode() for name, value in headers.items()},
        lambda headers: iter(headers.items()),
        lambda headers: message_from_string("".join(f"{name}: {value}\n" for name, value in headers.items())),
        lambda headers: wsgiref.headers.Headers(list(headers.items())),
        lambda headers: headers | {"webhook-id": f" {headers['webhook-id']}\t"},
    ],
)
def test_headers_as_frameworks_have_them(written: Callable[[dict[str, str]], Any]) -> None:
    assert webhook().verify(BODY, written(headers_of())).execution_id == ID


@pytest.mark.parametrize("body", [BODY.decode(), bytearray(BODY), memoryview(BODY)])
def test_bodies_as_frameworks_have_them(body: Any) -> None:
    assert webhook().verify(body, headers_of()).body == BODY


@pytest.mark.parametrize("body", [{"report": "sales"}, None, 7])
def test_a_body_that_was_parsed_is_a_mistake_of_the_caller(body: Any) -> None:
    with pytest.raises(TypeError, match="raw body"):
        webhook().verify(body, headers_of())


class TestSigning:
    """For the tests of receivers."""

    def test_what_is_signed_is_verified_here_and_elsewhere(self) -> None:
        headers = webhook(SECRET, OTHER).sign(BODY, execution_id="exe_7")
        assert webhook(SECRET).verify(BODY, headers).execution_id == "exe_7"
        assert headers["webhook-signature"] == headers_of(SECRET, execution_id="exe_7")["webhook-signature"]
        now = standardwebhooks.Webhook(encode_secret(SECRET))
        assert now.verify(BODY.decode(), Webhook(encode_secret(SECRET)).sign(BODY)) == {"report": "sales"}

    def test_old_requests_can_be_made(self) -> None:
        at = datetime.fromtimestamp(NOW, UTC) - timedelta(minutes=6)
        with pytest.raises(TimestampOutOfTolerance):
            webhook().verify(BODY, webhook().sign(BODY, at=at))

    def test_naive_datetimes_are_refused(self) -> None:
        with pytest.raises(ValueError, match="aware"):
            webhook().sign(BODY, at=datetime(2030, 1, 1))  # noqa: DTZ001 - what is to be refused


class TestSecrets:
    def test_any_of_several_secrets(self) -> None:
        assert webhook(OTHER, SECRET).verify(BODY, headers_of(SECRET))
        assert webhook(SECRET, OTHER).verify(BODY, headers_of(SECRET))

    def test_any_of_several_signatures(self) -> None:
        assert webhook(SECRET).verify(BODY, headers_of(OTHER, SECRET))
        assert webhook(OTHER).verify(BODY, headers_of(OTHER, SECRET))

    def test_another_secret(self) -> None:
        with pytest.raises(SignatureMismatch, match="the raw body"):
            webhook(OTHER).verify(BODY, headers_of(SECRET))

    @pytest.mark.parametrize(
        "secret",
        [
            "",
            "whsec_",
            "whsec_***",
            "whsec_" + b64encode(b"x" * 23).decode(),
            b64encode(SECRET).decode(),
            encode_secret(SECRET) + "\n",
            encode_secret(SECRET)[:-3],
            "whsec_ü",
        ],
    )
    def test_what_is_no_secret_is_refused_and_not_shown(self, secret: str) -> None:
        with pytest.raises(InvalidSecret) as refused:
            Webhook(secret)
        assert secret in ("", "whsec_") or secret not in str(refused.value)

    @pytest.mark.parametrize("secret", [[], None, encode_secret(SECRET).encode(), [None]])
    def test_none_at_all_and_no_text(self, secret: Any) -> None:
        """Such as a variable of the environment that is not set."""
        with pytest.raises(InvalidSecret):
            Webhook(secret)


class TestWhatIsSigned:
    @pytest.mark.parametrize(
        ("body", "changed"),
        [
            (BODY + b" ", {}),
            (b"", {}),
            (BODY, {"webhook-id": "exe_other"}),
            (BODY, {"webhook-timestamp": str(NOW + 1)}),
            (BODY, {"webhook-timestamp": f"0{NOW}"}),
            (BODY, {"webhook-signature": "v1,"}),
            (BODY, {"webhook-signature": "v1,AAAA v1,ü \udcff"}),
            (BODY, {"webhook-signature": "v1," + b64encode(bytes(32)).decode()}),
        ],
    )
    def test_any_change_is_noticed(self, body: bytes, changed: dict[str, str]) -> None:
        with pytest.raises(SignatureMismatch):
            webhook().verify(body, headers_of() | changed)

    def test_versions_to_come_are_passed_over(self) -> None:
        headers = headers_of()
        headers["webhook-signature"] = f"v2,AAAA v1a,BBBB  {headers['webhook-signature']}"
        assert webhook().verify(BODY, headers)

    def test_signed_text_cannot_be_cut_elsewhere(self) -> None:
        """``exe.1900000000.5`` as id ``exe`` at 1900000000, or as id ``exe.1900000000`` at 5."""
        headers = headers_of(body=b"5.0", at=NOW, execution_id="exe")
        cut = headers | {"webhook-id": f"exe.{NOW}", "webhook-timestamp": "5"}
        with pytest.raises(MalformedHeader, match="full stops"):
            webhook(tolerance=timedelta(days=36500)).verify(b"0", cut)


class TestTime:
    @pytest.mark.parametrize("age", [-300, 0, 300])
    def test_within_five_minutes_of_both_sides(self, age: int) -> None:
        assert webhook().verify(BODY, headers_of(at=NOW - age)).timestamp == datetime.fromtimestamp(NOW - age, UTC)

    @pytest.mark.parametrize(("age", "side"), [(301, "301 s old"), (-301, "301 s ahead")])
    def test_beyond_them(self, age: int, side: str) -> None:
        with pytest.raises(TimestampOutOfTolerance, match=side) as refused:
            webhook().verify(BODY, headers_of(at=NOW - age))
        assert (refused.value.age_seconds, refused.value.tolerance_seconds) == (age, 300)

    def test_another_tolerance(self) -> None:
        assert webhook(tolerance=timedelta(hours=1)).verify(BODY, headers_of(at=NOW - 3600))
        with pytest.raises(TimestampOutOfTolerance):
            webhook(tolerance=timedelta(seconds=1)).verify(BODY, headers_of(at=NOW - 2))

    def test_the_clock_is_the_systems_unless_told_otherwise(self) -> None:
        at = int(datetime.now(UTC).timestamp())
        assert Webhook(encode_secret(SECRET)).verify(BODY, headers_of(at=at))


class TestHeaders:
    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_each_must_be_there_once(self, name: str) -> None:
        headers = headers_of()
        with pytest.raises(MalformedHeader, match=f"{name} is there more than once"):
            webhook().verify(BODY, [*headers.items(), (name.title(), headers[name])])
        del headers[name]
        with pytest.raises(MissingHeader, match=name) as missing:
            webhook().verify(BODY, headers)
        assert missing.value.name == name

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("webhook-id", ""),
            ("webhook-id", "a b"),
            ("webhook-id", "a.b"),
            ("webhook-id", "ä"),
            ("webhook-id", "x" * 256),
            ("webhook-timestamp", ""),
            ("webhook-timestamp", "-1"),
            ("webhook-timestamp", "1.5"),
            ("webhook-timestamp", "1_900_000_000"),
            ("webhook-timestamp", "١٩٠٠٠٠٠٠٠٠"),
            ("webhook-timestamp", "9" * 4000),
            ("webhook-signature", ""),
            ("webhook-signature", "v2,AAAA"),
            ("webhook-signature", "AAAA"),
        ],
    )
    def test_each_has_its_form(self, name: str, value: str) -> None:
        with pytest.raises(MalformedHeader, match=name) as malformed:
            webhook().verify(BODY, headers_of() | {name: value})
        assert malformed.value.name == name

    @pytest.mark.parametrize("value", ["", "soon", "2030-01-31T08:00:00", "1.5", "-1", "٣"])
    def test_those_that_are_not_signed_may_mean_nothing(self, value: str) -> None:
        delivery = webhook().verify(BODY, headers_of(cronhook_scheduled_for=value, cronhook_attempt=value))
        assert (delivery.scheduled_for, delivery.attempt, delivery.job_id) == (None, None, None)


@given(
    st.binary(),
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "cronhook-attempt"]), st.text()
    ),
)
def test_whatever_comes_is_refused_by_its_name(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        webhook().verify(body, headers)


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="tolerance must not be negative"):
        Webhook("whsec_" + "A" * 32, tolerance=timedelta(seconds=-1))


def test_the_tree_of_errors() -> None:
    for kind in (MissingHeader, MalformedHeader, TimestampOutOfTolerance, SignatureMismatch):
        assert issubclass(kind, webhook_errors.WebhookVerificationError)
    assert not issubclass(InvalidSecret, WebhookVerificationError)
    assert issubclass(WebhookVerificationError, ValueError)
    error = MalformedHeader("webhook-id", "is odd")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
