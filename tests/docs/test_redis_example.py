"""The memory in Redis of the guide to verifying webhooks, on a real one."""

import asyncio
import runpy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from cronhook_client.seen import Sighting

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "how_to" / "seen_in_redis.py"))


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
async def redis(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=request.param) as connection:
        yield connection


async def test_an_execution_is_new_until_it_was_handled(redis: Redis) -> None:
    seen: Any = EXAMPLE["SeenInRedis"](redis)
    assert await seen.begin("exe_1") is Sighting.NEW
    assert await seen.begin("exe_1") is Sighting.UNDER_WAY
    await seen.end("exe_1", handled=False)
    assert await seen.begin("exe_1") is Sighting.NEW
    await seen.end("exe_1", handled=True)
    assert await seen.begin("exe_1") is Sighting.HANDLED


async def test_of_processes_that_race_one_is_first(redis: Redis) -> None:
    seen: Any = EXAMPLE["SeenInRedis"](redis)
    sightings = await asyncio.gather(*(seen.begin("exe_1") for _ in range(20)))
    assert sightings.count(Sighting.NEW) == 1


async def test_nothing_stays_for_ever(redis: Redis) -> None:
    seen: Any = EXAMPLE["SeenInRedis"](redis)
    await seen.begin("exe_1")
    assert 60 < await redis.ttl("webhook:exe_1") <= EXAMPLE["UNDER_WAY_SECONDS"]
    await seen.end("exe_1", handled=True)
    assert 24 * 3600 < await redis.ttl("webhook:exe_1") <= EXAMPLE["HANDLED_SECONDS"]
