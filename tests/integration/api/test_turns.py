"""Equal requests that come together: one acts, the others wait for its answer, and not for ever."""

import asyncio
from typing import Any

import pytest

from cronhook_core.engine.job_service import JobService
from cronhook_core.errors import IdempotencyInProgress
from cronhook_server import under_way
from cronhook_server.under_way import UnderWay
from tests.integration.api.conftest import Api, job_body

KEY = {"idempotency-key": "k"}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first creation when it has begun, and by the test when it may go on."""
    begun, may_end = asyncio.Event(), asyncio.Event()
    create = JobService.create

    async def slow(*arguments: Any, **named: Any) -> Any:
        begun.set()
        await may_end.wait()
        return await create(*arguments, **named)

    monkeypatch.setattr(JobService, "create", slow)
    return begun, may_end


async def test_a_repeat_of_what_is_under_way_is_told_so(
    api: Api, held: tuple[asyncio.Event, asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = held
    monkeypatch.setattr(under_way, "WAIT_SECONDS", 0.05)
    first = asyncio.create_task(api.http.post("/v1/jobs", json=job_body(), headers=KEY))
    await begun.wait()
    told = await api.http.post("/v1/jobs", json=job_body(), headers=KEY)
    assert (told.status_code, told.json()["code"]) == (409, "idempotency_in_progress")
    may_end.set()
    assert (await first).status_code == 201
    repeated = await api.http.post("/v1/jobs", json=job_body(), headers=KEY)
    assert repeated.content == (await first).content


async def test_a_repeat_waits_for_the_first_answer(api: Api, held: tuple[asyncio.Event, asyncio.Event]) -> None:
    begun, may_end = held
    first = asyncio.create_task(api.http.post("/v1/jobs", json=job_body(), headers=KEY))
    await begun.wait()
    others = [asyncio.create_task(api.http.post("/v1/jobs", json=job_body(), headers=KEY)) for _ in range(3)]
    other_path = await api.http.post("/v1/schedules/preview", json={"cron": "* * * * *"}, headers=KEY)
    assert other_path.status_code == 200
    may_end.set()
    answers = [await task for task in (first, *others)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert len((await api.http.get("/v1/jobs")).json()["data"]) == 1


async def test_a_path_may_be_written_in_several_ways(api: Api) -> None:
    first = await api.http.post("/v1/jobs", json=job_body(), headers=KEY)
    for path in ("/v1/jobs/", "/v1//jobs", "/v1/%6aobs"):
        repeated = await api.http.post(path, json=job_body(), headers=KEY)
        assert (repeated.status_code, repeated.content) == (201, first.content), path


class TestTurns:
    KEY = ("wsp", "/v1/jobs", "k")

    async def test_nothing_is_kept_of_what_has_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(under_way, "WAIT_SECONDS", 0.01)
        turns = UnderWay()
        async with turns.alone(self.KEY), turns.alone(("wsp", "/v1/jobs", "another")):
            with pytest.raises(IdempotencyInProgress):
                async with turns.alone(self.KEY):
                    raise AssertionError("two at once")
        assert turns._turns == {}

    async def test_a_failure_gives_the_turn_on(self) -> None:
        turns = UnderWay()
        with pytest.raises(ZeroDivisionError):
            async with turns.alone(self.KEY):
                raise ZeroDivisionError
        async with turns.alone(self.KEY):
            pass
