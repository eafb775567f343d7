"""A name server that is slow, silent to one type of question, or cannot be asked: its names are never ``blocked``."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from cronhook_core.backends.http.resolver import AiodnsResolver, NameNotResolved
from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.webhook import Outcome
from tests.faults.name_server import AAAA, A, NameServer
from tests.integration.sender.requests import post
from tests.receiver import Receiver

DELAYS = (0.3, 0.4, 0.6, 1.2, 2.5)
DID_NOT_ANSWER = "the name server of the receiver did not answer"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer() as running:
        yield running


@pytest_asyncio.fixture
async def resolver(server: NameServer) -> AsyncIterator[AiodnsResolver]:
    resolver = AiodnsResolver([f"127.0.0.1:{server.port}"])
    yield resolver
    await resolver.close()


async def addresses(resolver: AiodnsResolver, name: str) -> list[str] | str:
    """The addresses of a name, or the reason why there are none."""
    try:
        return [str(address) for address in await resolver.addresses(name)]
    except NameNotResolved as error:
        return str(error)


async def teach(resolver: AiodnsResolver, server: NameServer) -> None:
    """Have the name server answer quickly until c-ares waits for 250 ms only."""
    for number in range(30):
        server.answer(f"quick{number}.example", "127.0.0.1", delay=0.002)
        assert await addresses(resolver, f"quick{number}.example") == ["127.0.0.1"]


async def test_answers_that_come_late_are_used(resolver: AiodnsResolver, server: NameServer) -> None:
    await teach(resolver, server)
    for delay in DELAYS:
        server.answer(f"after-{delay}.example", "127.0.0.1", "::1", delay=delay)
        server.answer(f"ipv4-after-{delay}.example", "127.0.0.1", delay=delay)
        server.answer(f"empty-after-{delay}.example", delay=delay)
    server.answer("too-late.example", "127.0.0.1", delay=30)
    late, ipv4, empty, too_late = await asyncio.gather(
        asyncio.gather(*(addresses(resolver, f"after-{delay}.example") for delay in DELAYS)),
        asyncio.gather(*(addresses(resolver, f"ipv4-after-{delay}.example") for delay in DELAYS)),
        asyncio.gather(*(addresses(resolver, f"empty-after-{delay}.example") for delay in DELAYS)),
        addresses(resolver, "too-late.example"),
    )
    assert late == [["127.0.0.1", "::1"]] * len(DELAYS)
    assert ipv4 == [["127.0.0.1"]] * len(DELAYS)
    assert empty == [[]] * len(DELAYS)
    assert too_late == DID_NOT_ANSWER


async def test_silence_for_one_type_beside_an_empty_answer_is_no_answer(server: NameServer) -> None:
    server.answer("a-silent.example", silent_for=A)
    server.answer("aaaa-silent.example", silent_for=AAAA)
    resolver = AiodnsResolver([f"127.0.0.1:{server.port}"], ask_again_after=0.1, patience=0.2)
    async with AiohttpSender(resolver=resolver) as sender:
        for name in ("a-silent.example", "aaaa-silent.example"):
            result = await sender(post(f"http://{name}/"))
            assert (result.outcome, result.error) == (Outcome.DNS_ERROR, DID_NOT_ANSWER)


async def test_addresses_of_one_type_do_not_wait_for_the_other_for_long(server: NameServer, receiver: Receiver) -> None:
    server.answer("only-a.example", "127.0.0.1", silent_for=AAAA)
    server.answer("only-aaaa.example", "::1", silent_for=A)
    resolver = AiodnsResolver([f"127.0.0.1:{server.port}"], ask_again_after=0.1, patience=0.4)
    assert await addresses(resolver, "only-a.example") == ["127.0.0.1"]
    assert await addresses(resolver, "only-aaaa.example") == ["::1"]
    await resolver.close()


async def test_an_answer_is_asked_for_again_once_its_time_to_live_is_over(
    resolver: AiodnsResolver, server: NameServer
) -> None:
    """c-ares caches: what a name server lets it keep is not asked for at every attempt."""
    server.answer("kept.example", "127.0.0.1", "::1", ttl=600)
    server.answer("fleeting.example", "127.0.0.1", "::1")
    for _ in range(3):
        assert await addresses(resolver, "kept.example") == ["127.0.0.1", "::1"]
        assert await addresses(resolver, "fleeting.example") == ["127.0.0.1", "::1"]
    assert server.times_asked("kept.example") == 2, "A and AAAA"
    assert server.times_asked("fleeting.example") == 6


async def test_what_is_cached_is_judged_at_every_attempt(
    resolver: AiodnsResolver, server: NameServer, receiver: Receiver
) -> None:
    server.answer("kept.example", "127.0.0.1", ttl=600)
    url = f"http://kept.example:{receiver.port}/"
    async with AiohttpSender(AllowedTargets.parse("127.0.0.0/8"), resolver=resolver) as sender:
        assert (await sender(post(url))).outcome is Outcome.SUCCEEDED
    resolver = AiodnsResolver([f"127.0.0.1:{server.port}"])
    async with AiohttpSender(resolver=resolver) as sender:
        assert [(await sender(post(url))).outcome for _ in range(2)] == [Outcome.BLOCKED] * 2
    assert server.times_asked("kept.example") == 4, "A and AAAA, once for each resolver"


async def test_a_process_without_a_free_descriptor_says_so(resolver: AiodnsResolver, server: NameServer) -> None:
    server.answer("good.example", "127.0.0.1")
    async with AiohttpSender(resolver=resolver) as sender:
        with no_free_descriptor():
            result = await sender(post("http://good.example/"))
            with pytest.raises(OSError, match="Too many open files"):
                await resolver.addresses("good.example")
    assert (result.outcome, result.error) == (Outcome.INTERNAL_ERROR, "this worker has no free file descriptor")


async def test_questions_that_are_asked_again_share_a_channel(server: NameServer) -> None:
    names = [f"silent{number}.example" for number in range(50)]
    for name in names:
        server.keep_silent(name)
    resolver = AiodnsResolver([f"127.0.0.1:{server.port}"], ask_again_after=0.05, patience=0.5)
    before = len(open_descriptors())
    looking_up = asyncio.gather(*(addresses(resolver, name) for name in names))
    await asyncio.gather(*(asyncio.to_thread(server.wait_for, name, 4) for name in names))
    assert len(open_descriptors()) - before < len(names) / 2
    assert set(await looking_up) == {DID_NOT_ANSWER}
    await resolver.close()


def open_descriptors() -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]


@contextmanager
def no_free_descriptor() -> Iterator[None]:
    """Every descriptor that this process may have is in use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(open_descriptors()) + 20, hard))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
