"""The rules of the user's headers, at creation and when sending."""

import pytest

from cronhook_core.domain.callback_headers import check_headers, check_sendable, is_secret_header
from cronhook_core.errors import InvalidHeaders

GOOD = {
    "content-type": "application/cloudevents+json; charset=utf-8",
    "Authorization": "Bearer abc.def-ghi_jkl==",
    "X-Empty": "",
    "x-tab": "a\tb",
    "x-all-visible": "".join(map(chr, range(0x21, 0x7F))),
    "user-agent": "mine/1.0",
    "accept": "*/*",
    "!#$%&'*+-.^_`|~09AZaz": "every character of a token",
    "a" * 64: "the longest name",
    "x-longest": "v" * 4096,
    "cookie": "a=b; c=d",
    "web-hook": "only looks like ours",
    "host-name": "only looks like host",
}

BAD_NAMES = [
    "",
    " ",
    "x y",
    "x ",
    " x",
    "x\t",
    "x:",
    ":authority",
    "x\r\nhost",
    "x\n",
    "x\0",
    "x\x7f",
    "x\x80",
    "naïve",
    "x(y)",
    "x,y",
    "x/y",
    "x;y",
    "x<y>",
    "x=y",
    "x?y",
    "x@y",
    "x[y]",
    "x\\y",
    "x{y}",
    'x"y',
    "\uff48ost",
    "a" * 65,
    "a" * 100_000,
]

FORBIDDEN_NAMES = [
    "host",
    "Host",
    "HOST",
    "Content_Length",
    "transfer_encoding",
    "Proxy_Authorization",
    "Webhook_Signature",
    "cronhook_job_id",
    "content-length",
    "Content-Length",
    "transfer-encoding",
    "Transfer-Encoding",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-authenticate",
    "Proxy-Connection",
    "proxy-",
    "te",
    "TE",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
    "webhook-id",
    "Webhook-Signature",
    "webhook-anything",
    "cronhook-job-id",
    "CRONHOOK-ATTEMPT",
    "cronhook-",
]

BAD_VALUES = [
    " x",
    "x ",
    "\tx",
    "x\t",
    " ",
    "a\r\nhost: evil",
    "a\nb",
    "a\rb",
    "a\0b",
    "a\x1fb",
    "a\x7fb",
    "a\x80b",
    "é",
    "…",
    "\ud800",
    "v" * 4097,
]


def test_good_headers_keep_their_order_and_case() -> None:
    assert check_headers(GOOD) == tuple(GOOD.items())
    check_sendable(tuple(GOOD.items()))
    assert check_headers({}) == ()


@pytest.mark.parametrize("name", BAD_NAMES + FORBIDDEN_NAMES)
def test_refused_names(name: str) -> None:
    with pytest.raises(InvalidHeaders) as refusal:
        check_headers({name: "value"})
    assert refusal.value.pointer.startswith("/headers")
    assert len(refusal.value.pointer) < 150
    assert len(refusal.value.reason) < 400


@pytest.mark.parametrize("value", BAD_VALUES)
def test_refused_values(value: str) -> None:
    with pytest.raises(InvalidHeaders) as refusal:
        check_headers({"x-name": value})
    assert refusal.value.pointer == "/headers/x-name"
    assert "host: evil" not in refusal.value.reason


def test_values_that_are_no_strings() -> None:
    with pytest.raises(InvalidHeaders, match="is a string"):
        check_headers({"x-number": 1})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({f"x-{n}": "" for n in range(33)}, "at most 32 headers"),
        ({f"x-{n}": "v" * 4096 for n in range(4)}, "at most 16384 characters"),
        ({"X-Name": "1", "x-name": "2"}, "occurs twice"),
        ({"X-Name": "1", "x_name": "2"}, "occurs twice"),
    ],
)
def test_rules_for_all_together(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidHeaders, match=reason):
        check_headers(headers)


def test_the_bounds_themselves_pass() -> None:
    check_headers({f"x-{n}": "" for n in range(32)})
    check_headers({f"x{n}": "v" * 4094 for n in range(4)})


def test_every_problem_is_named() -> None:
    with pytest.raises(InvalidHeaders) as refusal:
        check_headers({"host": "x", "x-good": "y", "x~/": "z", "x-bad": "\n"})
    assert [pointer for pointer, _ in refusal.value.problems] == ["/headers/host", "/headers/x~0~1", "/headers/x-bad"]
    assert refusal.value.pointer == "/headers/host"


@pytest.mark.parametrize("name", [*BAD_NAMES, *(name for name in FORBIDDEN_NAMES if "hook" not in name.lower())])
def test_names_that_are_not_sent_either(name: str) -> None:
    with pytest.raises(InvalidHeaders):
        check_sendable((("content-type", "application/json"), (name, "value")))


@pytest.mark.parametrize("value", BAD_VALUES)
def test_values_that_are_not_sent_either(value: str) -> None:
    with pytest.raises(InvalidHeaders):
        check_sendable((("x-name", value),))


def test_our_own_headers_are_sent_and_no_header_twice() -> None:
    check_sendable((("webhook-id", "exe_1"), ("cronhook-attempt", "1")))
    with pytest.raises(InvalidHeaders, match="twice"):
        check_sendable((("webhook-id", "exe_1"), ("Webhook-Id", "exe_2")))


@pytest.mark.parametrize(
    "name",
    ["authorization", "Authorization", "cookie", "X-Api-Key", "x-auth-token", "MY-SECRET", "x-password-2", "apikey"],
)
def test_secret_headers(name: str) -> None:
    assert is_secret_header(name)


@pytest.mark.parametrize("name", ["content-type", "x-request-id", "x-author", "set-cookies", "user-agent"])
def test_other_headers(name: str) -> None:
    assert not is_secret_header(name)
