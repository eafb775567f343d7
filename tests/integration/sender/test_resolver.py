"""c-ares as the resolver: real questions to a name server on the loopback, and the system's hosts file."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cronhook_core.backends.http.resolver import AiodnsResolver, NameNotResolved
from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.webhook import Outcome
from tests.integration.sender.name_server import NameServer
from tests.integration.sender.requests import post
from tests.receiver import Receiver


@pytest_asyncio.fixture
async def server() -> AsyncIterator[NameServer]:
    yield NameServer(
        both=["2606:4700::1111", "93.184.215.14"],
        local=["127.0.0.1"],
        mixed=["127.0.0.1", "10.0.0.1"],
        many=[f"93.184.215.{n}" for n in range(25)],
        mail=[],
    )


@pytest_asyncio.fixture
async def resolver(server: NameServer) -> AsyncIterator[AiodnsResolver]:
    resolver = AiodnsResolver([await server.start()], ask_again_after=0.1, patience=0.2)
    yield resolver
    await resolver.close()
    server.stop()


async def test_addresses_of_both_families_with_ipv4_first(resolver: AiodnsResolver) -> None:
    assert [str(one) for one in await resolver.addresses("both.good.test")] == ["93.184.215.14", "2606:4700::1111"]


async def test_sixteen_addresses_at_most(resolver: AiodnsResolver) -> None:
    assert len(await resolver.addresses("many.good.test")) == 16


async def test_a_name_without_addresses(resolver: AiodnsResolver) -> None:
    assert list(await resolver.addresses("mail.good.test")) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unknown.good.test", "the name of the receiver does not exist"),
        ("fails.good.test", "the name server of the receiver failed"),
        ("never.good.test", "the name server of the receiver did not answer"),
        ("a..b", "the name server of the receiver failed"),
    ],
)
async def test_names_without_an_answer(resolver: AiodnsResolver, name: str, reason: str) -> None:
    with pytest.raises(NameNotResolved, match=f"^{reason}$"):
        await resolver.addresses(name)


async def test_closing_ends_what_is_asked(server: NameServer) -> None:
    resolver = AiodnsResolver([await server.start()], ask_again_after=60)
    asking = asyncio.ensure_future(resolver.addresses("never.good.test"))
    while not server.questions:
        await asyncio.sleep(0.001)
    await resolver.close()
    with pytest.raises(NameNotResolved):
        await asking
    server.stop()


async def test_the_hosts_file_is_read() -> None:
    resolver = AiodnsResolver()
    assert "127.0.0.1" in [str(one) for one in await resolver.addresses("localhost")]
    await resolver.close()


async def test_a_sender_with_real_look_ups(server: NameServer, receiver: Receiver) -> None:
    resolver = AiodnsResolver([await server.start()], ask_again_after=0.1, patience=0.2)
    async with AiohttpSender(AllowedTargets.parse("127.0.0.0/8"), resolver=resolver) as sender:
        outcomes = {
            name: (await sender(post(f"http://{name}.good.test:{receiver.port}/"))).outcome
            for name in ("local", "mixed", "unknown", "fails", "never", "mail")
        }
    server.stop()
    assert outcomes == {
        "local": Outcome.SUCCEEDED,
        "mixed": Outcome.BLOCKED,
        "unknown": Outcome.DNS_ERROR,
        "fails": Outcome.DNS_ERROR,
        "never": Outcome.DNS_ERROR,
        "mail": Outcome.BLOCKED,
    }
    assert len(receiver.arrivals) == 1


async def test_the_default_resolver_asks_the_system(receiver: Receiver) -> None:
    async with AiohttpSender(AllowedTargets.parse("127.0.0.0/8")) as sender:
        assert (await sender(post(f"http://localhost:{receiver.port}/"))).outcome is Outcome.SUCCEEDED
