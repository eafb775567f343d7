"""The hostile name server, asked by the resolver that cronhook uses."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator

import aiodns
import pytest
from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, ARES_ESERVFAIL, ARES_ETIMEOUT

from tests.faults.name_server import NameServer


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as running:
        yield running


@pytest.fixture
async def resolver(names: NameServer) -> AsyncIterator[aiodns.DNSResolver]:
    made = aiodns.DNSResolver(
        loop=asyncio.get_running_loop(), nameservers=[f"127.0.0.1:{names.port}"], timeout=1.0, tries=1
    )
    yield made
    await made.close()


async def look_up(resolver: aiodns.DNSResolver, name: str, family: socket.AddressFamily = socket.AF_INET) -> list[str]:
    answer = await resolver.getaddrinfo(name, family=family, type=socket.SOCK_STREAM)
    return sorted(node.addr[0].decode() for node in answer.nodes)


async def failure(resolver: aiodns.DNSResolver, name: str) -> int:
    with pytest.raises(aiodns.error.DNSError) as raised:
        await look_up(resolver, name)
    return int(raised.value.args[0])


async def test_it_answers(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    names.answer("good.example", "127.0.0.1", "127.0.0.2", "::1")
    assert await look_up(resolver, "good.example") == ["127.0.0.1", "127.0.0.2"]
    assert await look_up(resolver, "good.example", socket.AF_INET6) == ["::1"]
    assert names.times_asked("good.example") == 2


async def test_other_names_do_not_exist(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    assert await failure(resolver, "unknown.example") == ARES_ENOTFOUND


async def test_a_name_without_addresses(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    names.answer("empty.example")
    assert await failure(resolver, "empty.example") == ARES_ENODATA


async def test_it_fails(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    names.fail("broken.example")
    assert await failure(resolver, "broken.example") == ARES_ESERVFAIL


async def test_it_keeps_silent(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    names.keep_silent("silent.example")
    assert await failure(resolver, "silent.example") == ARES_ETIMEOUT
    names.wait_for("silent.example")


async def test_it_comes_late(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    names.answer("late.example", "127.0.0.1", delay=0.3)
    began = time.monotonic()
    assert await look_up(resolver, "late.example") == ["127.0.0.1"]
    assert time.monotonic() - began >= 0.3


async def test_it_changes_its_mind(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    names.change("rebinding.example", ["203.0.113.7"], ["127.0.0.1"])
    answers = [await look_up(resolver, "rebinding.example") for _ in range(3)]
    assert answers == [["203.0.113.7"], ["127.0.0.1"], ["127.0.0.1"]]


async def test_it_tells_too_much(names: NameServer, resolver: aiodns.DNSResolver) -> None:
    names.flood("many.example", 60)
    assert len(await look_up(resolver, "many.example")) == 60


async def test_waiting_for_a_question_ends(names: NameServer) -> None:
    with pytest.raises(TimeoutError):
        names.wait_for("nobody.example", timeout=0.05)
