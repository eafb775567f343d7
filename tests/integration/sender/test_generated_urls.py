"""Ten thousand generated URLs, each sent twice over names with generated answers: no connection to an address that is
not public is ever tried. The judge at the socket knows the blocks from another list than the guard."""

import asyncio
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import IPAddress
from cronhook_core.domain.webhook import Outcome
from tests.integration.sender.connections import Connects
from tests.integration.sender.requests import post
from tests.unit.targets.special_purpose_blocks import IPV4_BLOCKS, IPV6_BLOCKS_OF_2000, OUTSIDE_OF_2000

BATCHES, BATCH = 200, 50

PUBLIC = [
    ip_address(text) for text in ("93.184.215.14", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2001:4860:4860::8888")
]
NAMES = """
    localhost localhost. a.localhost metadata.google.internal intranet good.test other.test a..b xn--a bücher.test
"""


def inside(first: str, last: str) -> st.SearchStrategy[IPAddress]:
    numbers = st.integers(int(ip_address(first)), int(ip_address(last)))
    return numbers.map(type(ip_address(first)))


public = st.sampled_from(PUBLIC)
in_blocks = st.sampled_from([*IPV4_BLOCKS, *IPV6_BLOCKS_OF_2000]).flatmap(lambda block: inside(*block))
any_address = in_blocks | st.sampled_from(OUTSIDE_OF_2000).map(IPv6Address) | public | st.ip_addresses()


def spellings_of_ipv4(address: IPv4Address) -> st.SearchStrategy[str]:
    number, parts = int(address), [int(part) for part in str(address).split(".")]
    spellings = [
        str(address),
        str(number),
        hex(number),
        oct(number).replace("0o", "0"),
        ".".join(map(hex, parts)),
        ".".join(f"0{part:o}" for part in parts),
        ".".join(f"{part:03}" for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
        f"{address}.",
        str(address).translate({ord(str(digit)): 0xFF10 + digit for digit in range(10)}),
        str(address).replace(".", "\u3002"),
        "".join(f"%{ord(character):02x}" for character in str(address)),
        f"[::ffff:{address}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::]",
        f"good.test@{address}",
        f"{address}@good.test",
        f"{address}%00.good.test",
        f"good.test\\@{address}",
        f"{address}.nip.test",
    ]
    return st.sampled_from(spellings)


def spellings_of_ipv6(address: IPv6Address) -> st.SearchStrategy[str]:
    return st.sampled_from([f"[{address}]", f"[{address.exploded}]", f"[{address}%25eth0]", f"[{address}]."])


def spellings(address: IPAddress) -> st.SearchStrategy[str]:
    return spellings_of_ipv4(address) if isinstance(address, IPv4Address) else spellings_of_ipv6(address)


names = st.sampled_from(NAMES.split()) | st.from_regex(r"[a-z0-9]{1,8}\.(test|internal|svc|example)", fullmatch=True)
hosts = any_address.flatmap(spellings) | public.flatmap(spellings) | names | names | st.text(max_size=8)
usual = 9
schemes = ["http://"] * usual + ["https://", "HTTP://", "http:/", "http:\\", "//", "ftp://", "gopher://", "http://a@"]
ports = [""] * usual + [":80", ":443", ":8080", ":0", ":22", ":6379", ":65536", ":x"]
paths = ["/"] * usual + ["", "/hook?x=1", "/\r\nHost: x", "\\", "#@127.0.0.1", "?@127.0.0.1/", "/%00", " "]
urls = st.builds("{}{}{}{}".format, st.sampled_from(schemes), hosts, st.sampled_from(ports), st.sampled_from(paths))
answers = st.lists(st.lists(public, max_size=3) | st.lists(any_address, max_size=4), min_size=1, max_size=3)


class GeneratedResolver:
    """Answers every name with the next of its answers, round and round."""

    def __init__(self) -> None:
        self.answers: Sequence[Sequence[IPAddress]] = [[]]
        self._asked = 0

    async def addresses(self, host: str, /) -> Sequence[IPAddress]:
        self._asked += 1
        return self.answers[self._asked % len(self.answers)]

    async def close(self) -> None:
        pass


def is_forbidden(address: IPAddress) -> bool:
    number = int(address)
    if isinstance(address, IPv6Address):
        if number >> 32 == 0xFFFF:
            return is_forbidden(IPv4Address(number & 0xFFFFFFFF))
        blocks = [(int(ip_address(first)), int(ip_address(last))) for first, last in IPV6_BLOCKS_OF_2000]
        return number >> 125 != 1 or any(first <= number <= last for first, last in blocks)
    return any(int(ip_address(first)) <= number <= int(ip_address(last)) for first, last in IPV4_BLOCKS)


def connect_nowhere(_: object) -> tuple[object, ...]:
    raise ConnectionRefusedError(111, "refused")


class Bench:
    """A loop with a sender whose connections are refused and written down."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.names = GeneratedResolver()
        self.sent = self.connected = 0
        runner.run(self._start())

    async def _start(self) -> None:
        self._connects = Connects(asyncio.get_running_loop())
        self._connects.route = connect_nowhere
        self._sender = await AiohttpSender(resolver=self.names).__aenter__()

    def send(self, batch: Sequence[str]) -> list[tuple[str, int]]:
        """What was to be connected to."""

        async def send_all() -> None:
            results = [await self._sender(post(url, seconds=5)) for url in [*batch, *batch]]
            assert all(result.outcome is not Outcome.SUCCEEDED for result in results)
            assert all(result.outcome is not Outcome.INTERNAL_ERROR for result in results), results

        self._connects.targets.clear()
        self._runner.run(send_all())
        self.sent += len(batch)
        self.connected += len(self._connects.targets)
        return self._connects.targets

    def stop(self) -> None:
        self._runner.run(self._sender.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        bench = Bench(runner)
        yield bench
        bench.stop()


def test_nothing_connects_to_an_address_that_is_not_public(bench: Bench) -> None:
    @settings(
        max_examples=BATCHES,
        phases=[Phase.generate],  # to shrink fifty URLs takes minutes, and the address at fault is named already
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.lists(urls, min_size=BATCH, max_size=BATCH), answers)
    def send(batch: list[str], generated: list[list[IPAddress]]) -> None:
        bench.names.answers = generated
        for host, port in bench.send(batch):
            assert not is_forbidden(ip_address(host)), (host, port)
            assert port in (80, 443, 8080)

    send()
    assert bench.sent >= BATCHES * BATCH
    assert bench.connected >= 100, "some must have been let through, or nothing was tested"
