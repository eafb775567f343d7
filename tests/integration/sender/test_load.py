"""Two hundred hostile receivers at once: memory stays bounded, and obedient receivers beside them do not feel it."""

import asyncio
import gc
import time
from collections.abc import Mapping
from statistics import median

import psutil
import pytest

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.webhook import Outcome
from tests.integration.sender.requests import post, timed
from tests.machine import machine_delay
from tests.receiver import Receiver

pytestmark = pytest.mark.suite("integration")

AT_ONCE = 200
MEGABYTE = 1024 * 1024
MAX_GROWTH = 32 * MEGABYTE
BODY = b"x" * 20_000
DEADLINE = 2.0
"""In seconds: long enough for two hundred heads of answers on a machine that has other work, too."""
AT_THE_DEADLINE = {
    "silent": Outcome.TIMEOUT,
    "headers_drip": Outcome.TIMEOUT,
    "body_drips": Outcome.SUCCEEDED,
    "body_stalls": Outcome.SUCCEEDED,
}

MEMORY_HUNGRY = [
    "ten_gigabytes",
    "endless_body_without_length",
    "endless_chunks",
    "endless_tiny_chunks",
    "body_drips",
    "headers_drip",
    "endless_header",
    "endless_headers",
    "ten_thousand_headers",
    "large_headers_then_silence",
    "endless_informational_answers",
    "answers_before_it_is_asked",
    "endless_garbage",
    "gzip_bomb",
    "never_reads",
    "answers_without_reading",
    "floods_when_idle",
]


class Memory:
    """The greatest resident size of this process since it was last reset."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.reset()

    def reset(self) -> None:
        gc.collect()
        self.start = self.peak = self._process.memory_info().rss

    async def watch(self) -> None:
        while True:
            self.peak = max(self.peak, self._process.memory_info().rss)
            await asyncio.sleep(0.005)

    @property
    def growth(self) -> int:
        return self.peak - self.start


async def attack(sender: AiohttpSender, port: int, seconds: float) -> None:
    url = f"http://127.0.0.1:{port}/hook"
    await asyncio.gather(*(sender(post(url, seconds=seconds, body=BODY)) for _ in range(AT_ONCE)))


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_memory_stays_bounded(sender: AiohttpSender, hostile_ports: Mapping[str, int]) -> None:
    await attack(sender, hostile_ports["redirects_to_metadata"], 2.0)  # what so many connections take anyway
    memory = Memory()
    watching = asyncio.create_task(memory.watch())
    growths = {}
    for behaviour in MEMORY_HUNGRY:
        before = memory.peak
        await attack(sender, hostile_ports[behaviour], 0.4)
        growths[behaviour] = (memory.peak - before) // MEGABYTE
    watching.cancel()
    assert memory.growth <= MAX_GROWTH, growths


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize(
    "behaviour", ["body_drips", "endless_tiny_chunks", "endless_informational_answers", "never_reads"]
)
async def test_neighbours_do_not_feel_it(
    sender: AiohttpSender, receiver: Receiver, hostile_ports: Mapping[str, int], behaviour: str
) -> None:
    """Attacks follow each other without a pause while obedient receivers are called one after the other."""
    attacking = True

    async def attack_on() -> None:
        url = f"http://127.0.0.1:{hostile_ports[behaviour]}/hook"
        while attacking:
            await sender(post(url, seconds=0.4, body=BODY))

    attackers = [asyncio.ensure_future(attack_on()) for _ in range(20)]
    neighbours = [await timed(sender, post(receiver.url("/echo"), body=b"%d" % n)) for n in range(25)]
    attacking = False
    await asyncio.gather(*attackers)
    assert all(result.outcome is Outcome.SUCCEEDED for result, _ in neighbours)
    assert median(took.seconds for _, took in neighbours) < 0.1


async def test_deadlines_hold_for_two_hundred_at_once(sender: AiohttpSender, hostile_ports: Mapping[str, int]) -> None:
    async def one(behaviour: str) -> tuple[Outcome, float]:
        started = time.monotonic()
        result = await sender(post(f"http://127.0.0.1:{hostile_ports[behaviour]}/hook", seconds=DEADLINE))
        return result.outcome, time.monotonic() - started

    behaviours = list(AT_THE_DEADLINE) * (AT_ONCE // len(AT_THE_DEADLINE))
    with machine_delay() as delay:
        results = await asyncio.gather(*map(one, behaviours))
    assert [outcome for outcome, _ in results] == [AT_THE_DEADLINE[behaviour] for behaviour in behaviours]
    assert max(seconds for _, seconds in results) <= DEADLINE + 0.25 + delay()
