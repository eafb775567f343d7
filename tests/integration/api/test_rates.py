"""How often a key may ask the API."""

from collections.abc import AsyncIterator

import pytest

from cronhook_core.domain.api_key import Scope
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.composition import memory_backends
from cronhook_server.settings import Settings
from tests.integration.api.conftest import Api, api_over

BURST = 200


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def limited(clock: ManualClock) -> AsyncIterator[Api]:
    """By the rates that a server has where nobody set them."""
    async with api_over(memory_backends(clock), Settings(cpu_percent_per_key=100)) as api:
        yield api


async def test_a_key_that_asks_too_often_is_refused(limited: Api, clock: ManualClock) -> None:
    answers = [await limited.http.get("/v1/jobs?limit=1") for _ in range(BURST + 50)]
    assert [answer.status_code for answer in answers] == [200] * BURST + [429] * 50
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert int(refused.headers["retry-after"]) == 1
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=200;w=4'}
    assert answers[0].headers["ratelimit"] == '"default";r=199;t=1'
    assert refused.headers["ratelimit"] == '"default";r=0;t=4'
    await clock.advance(1)
    answers = [await limited.http.get("/v1/jobs?limit=1") for _ in range(60)]
    assert [answer.status_code for answer in answers] == [200] * 50 + [429] * 10


async def test_another_key_is_not_refused_with_it(limited: Api) -> None:
    answers = [await limited.http.get("/v1/jobs?limit=1") for _ in range(BURST + 1)]
    assert answers[-1].status_code == 429
    async with limited.another("default") as other:
        assert (await other.http.get("/v1/jobs?limit=1")).status_code == 200


async def test_every_request_with_a_valid_key_counts(limited: Api) -> None:
    async with limited.another("default", Scope.READ) as reader:
        answers = [
            await reader.http.post("/v1/jobs", json={}),
            await reader.http.get("/v1/jobs/job_no"),
            await reader.http.request("HEAD", "/v1/jobs"),
        ]
    assert [answer.status_code for answer in answers] == [403, 404, 200]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=199", "r=198", "r=197"]


async def test_what_needs_no_key_and_wrong_keys_have_no_rate(limited: Api) -> None:
    for answer in (
        await limited.http.get("/livez"),
        await limited.http.options("/v1/jobs"),
        await limited.http.get("/v1/jobs", headers={"x-api-key": "wrong"}),
    ):
        assert "ratelimit" not in answer.headers


async def test_a_rate_of_nothing_is_none(clock: ManualClock) -> None:
    async with api_over(
        memory_backends(clock), Settings(requests_per_second_per_key=0, cpu_percent_per_key=100)
    ) as api:
        answers = [await api.http.get("/v1/jobs?limit=1") for _ in range(250)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers
