"""TLS: the name is checked, and every way to fail is a failure of TLS."""

import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.webhook import Outcome, WebhookResult
from tests.integration.sender.certificates import (
    DAY,
    NOW,
    Authority,
    only_old_tls,
    only_tls_1_2,
    wants_client_certificate,
    without_encryption,
)
from tests.integration.sender.requests import post, timed
from tests.integration.sender.stub_resolver import StubResolver
from tests.receiver import Receiver

DEADLINE = 1.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest_asyncio.fixture
async def secure(names: StubResolver, authority: Authority) -> AsyncIterator[AiohttpSender]:
    """Trusts the tests' authority; good.test and other.test lead to the loopback."""
    names.answer("good.test", ["127.0.0.1"])
    names.answer("other.test", ["127.0.0.1"])
    allowed = AllowedTargets.parse("127.0.0.0/8")
    async with AiohttpSender(allowed, resolver=names, tls=authority.client_context()) as sender:
        yield sender


async def send(sender: AiohttpSender, context: ssl.SSLContext | None, host: str = "good.test") -> WebhookResult:
    with Receiver(tls=context) as receiver:
        result = await sender(post(f"https://{host}:{receiver.port}/hook"))
        assert len(receiver.arrivals) == (result.outcome is Outcome.SUCCEEDED)
    return result


async def test_certificate_server_name_and_host_keep_the_name(secure: AiohttpSender, authority: Authority) -> None:
    asked: list[str | None] = []
    context = authority.server_context("good.test")
    context.sni_callback = lambda _, name, __: asked.append(name)
    with Receiver(tls=context) as receiver:
        result = await secure(post(f"https://good.test:{receiver.port}/hook"))
        assert result.outcome is Outcome.SUCCEEDED
        assert receiver.arrivals[0].headers["host"] == f"good.test:{receiver.port}"
    assert asked == ["good.test"]


async def test_literal_addresses_and_wildcards(
    secure: AiohttpSender, names: StubResolver, authority: Authority
) -> None:
    assert (await send(secure, authority.server_context("127.0.0.1"), "127.0.0.1")).outcome is Outcome.SUCCEEDED
    names.answer("any.good.test", ["127.0.0.1"])
    context = authority.server_context("*.good.test")
    assert (await send(secure, context, "any.good.test")).outcome is Outcome.SUCCEEDED


async def test_tls_1_2_is_enough(secure: AiohttpSender, authority: Authority) -> None:
    assert (await send(secure, only_tls_1_2(authority.server_context("good.test")))).outcome is Outcome.SUCCEEDED


def assert_tls_error(result: WebhookResult, reason: str) -> None:
    assert result.outcome is Outcome.TLS_ERROR, result.error
    assert reason in (result.error or "")
    assert "127.0.0.1" not in (result.error or "")


async def test_certificates_for_others(secure: AiohttpSender, authority: Authority) -> None:
    context = authority.server_context("other.test")
    assert_tls_error(await send(secure, context), "the receiver's certificate is not valid: it is for another host")
    assert_tls_error(await send(secure, context, "127.0.0.1"), "it is for another host")
    assert_tls_error(await send(secure, authority.server_context()), "it is for another host")


async def test_expired_certificates(secure: AiohttpSender, authority: Authority) -> None:
    context = authority.server_context("good.test", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    assert_tls_error(await send(secure, context), "certificate has expired")


async def test_certificates_of_tomorrow(secure: AiohttpSender, authority: Authority) -> None:
    context = authority.server_context("good.test", not_before=NOW + DAY, not_after=NOW + 2 * DAY)
    assert_tls_error(await send(secure, context), "not yet valid")


async def test_a_common_name_does_not_name_a_server(secure: AiohttpSender, authority: Authority) -> None:
    assert_tls_error(await send(secure, authority.server_context(common_name="good.test")), "another host")


async def test_self_signed_certificates(secure: AiohttpSender, authority: Authority) -> None:
    assert_tls_error(await send(secure, authority.server_context("good.test", self_signed=True)), "self-signed")


async def test_unknown_authorities(secure: AiohttpSender, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "strangers")
    assert_tls_error(await send(secure, stranger.server_context("good.test")), "issuer certificate")


async def test_the_systems_authorities_do_not_know_ours(
    sender: AiohttpSender, names: StubResolver, authority: Authority
) -> None:
    names.answer("good.test", ["127.0.0.1"])
    assert_tls_error(await send(sender, authority.server_context("good.test")), "certificate is not valid")


async def test_old_versions(secure: AiohttpSender, authority: Authority) -> None:
    assert_tls_error(await send(secure, only_old_tls(authority.server_context("good.test"))), "TLS")


async def test_ciphers_that_do_not_encrypt(secure: AiohttpSender, authority: Authority) -> None:
    assert_tls_error(await send(secure, without_encryption(authority.server_context("good.test"))), "TLS")


@contextmanager
def refusing_server(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that tells its client why it refuses; asyncio's closes without a word."""

    def serve() -> None:
        raw, _ = listening.accept()
        with context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as connection:
            with suppress(ssl.SSLError):
                connection.do_handshake()
            with suppress(OSError):
                while socket.socket.recv(connection, 65536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("limit", [lambda context: context, only_tls_1_2], ids=["1.3", "1.2"])
async def test_receivers_that_want_a_certificate(
    secure: AiohttpSender, authority: Authority, limit: Callable[[ssl.SSLContext], ssl.SSLContext]
) -> None:
    context = limit(wants_client_certificate(authority.server_context("good.test")))
    with refusing_server(context) as port:
        result = await secure(post(f"https://good.test:{port}/"))
    if limit is not only_tls_1_2 and result.outcome is Outcome.CONNECT_ERROR:
        return  # with TLS 1.3 the refusal follows the client's handshake, and uvloop may lose its reason
    assert_tls_error(result, "TLS with the receiver failed")


async def test_plain_http_on_the_port_of_https(secure: AiohttpSender, hostile_ports: Mapping[str, int]) -> None:
    for behaviour in ("speaks_first", "endless_garbage"):
        result = await secure(post(f"https://good.test:{hostile_ports[behaviour]}/"))
        assert_tls_error(result, "TLS with the receiver failed")


@pytest.mark.parametrize("behaviour", ["closes_at_once", "resets_before_reading", "half_closes"])
async def test_connections_that_end_within_the_handshake(
    secure: AiohttpSender, hostile_ports: Mapping[str, int], behaviour: str
) -> None:
    result = await secure(post(f"https://good.test:{hostile_ports[behaviour]}/"))
    assert_tls_error(result, "TLS")


async def test_handshakes_that_stall_end_at_the_deadline(
    secure: AiohttpSender, hostile_ports: Mapping[str, int]
) -> None:
    result, took = await timed(secure, post(f"https://good.test:{hostile_ports['silent']}/", seconds=0.3))
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, "no connection to the receiver within 0.3 s")
    assert took.between(0.29, 0.55)


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/big/1000000", Outcome.SUCCEEDED),
        ("/drip/0.05", Outcome.SUCCEEDED),
        ("/stall", Outcome.SUCCEEDED),
        ("/silent", Outcome.TIMEOUT),
        ("/reset", Outcome.CONNECT_ERROR),
        ("/status/500", Outcome.HTTP_ERROR),
    ],
)
async def test_hostile_receivers_within_tls(
    secure: AiohttpSender, authority: Authority, path: str, outcome: Outcome
) -> None:
    with Receiver(tls=authority.server_context("good.test")) as receiver:
        result, took = await timed(secure, post(f"https://good.test:{receiver.port}{path}", seconds=DEADLINE))
    assert result.outcome is outcome
    assert took.between(0.0, DEADLINE + 0.25)
