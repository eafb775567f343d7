import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cronhook_core.domain.ids import new_id
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.engine import job_service
from cronhook_core.testing.builders import NOW, make_id, succeeded
from cronhook_server.routes import jobs
from tests.integration.api.conftest import RANDOM, Api, instant, job_body

LONG_AFTER = datetime(2199, 1, 1, tzinfo=UTC)


async def test_a_job_is_stored_and_read_back(api: Api) -> None:
    body = job_body(
        timezone="Europe/Berlin",
        headers={"authorization": "Bearer secret", "accept": "*/*"},
        payload={"ä": [1, 2.5, None, True]},
        timeout_seconds=2.5,
        retry_delays_seconds=[1, 2],
        tags=["a"],
        metadata={"k": "v"},
    )
    created = await api.http.post("/v1/jobs", json=body)
    job = created.json()
    assert created.status_code == 201
    assert created.headers["location"] == f"/v1/jobs/{job['id']}"
    assert created.headers["x-request-id"].startswith("req_")
    assert job.items() >= (body | {"headers": {"authorization": "***", "accept": "*/*"}}).items()
    assert (job["status"], job["inactive_reason"], job["last_run"]) == ("active", None, None)
    assert job["next_run"] > job["created_at"]
    read = await api.http.get(created.headers["location"])
    assert (read.status_code, read.json()) == (200, job)


async def test_a_one_time_job(api: Api) -> None:
    run_at = instant(hours=1)
    job = (await api.http.post("/v1/jobs", json=job_body(cron=None, run_at=run_at))).json()
    assert job["next_run"] == job["run_at"]
    assert datetime.fromisoformat(job["run_at"]) == datetime.fromisoformat(run_at)
    assert (job["cron"], job["timezone"]) == (None, None)


async def test_an_instant_just_passed_is_accepted(api: Api) -> None:
    created = await api.http.post("/v1/jobs", json=job_body(cron=None, run_at=instant(seconds=-30)))
    assert created.status_code == 201


@pytest.mark.parametrize("payload", ["\u00e4\U0001f600", 2**63, -(2**63), 1e308, 5e-324, {"": {"": [[[]]]}}])
async def test_payloads_come_back_as_they_were(api: Api, payload: object) -> None:
    created = await api.http.post("/v1/jobs", json=job_body(payload=payload))
    assert created.status_code == 201
    assert (await api.http.get(created.headers["location"])).json()["payload"] == payload


async def test_a_deleted_job_is_gone(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    assert (await api.http.delete(path)).status_code == 204
    for answered in (await api.http.delete(path), await api.http.get(path), await api.http.get(f"{path}/logs")):
        assert (answered.status_code, answered.json()["code"]) == (404, "not_found")
    assert (await api.http.get("/v1/jobs")).json()["data"] == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "job_id",
    ["x", "job_", "job_01arz3ndektsv4rrffq69g5fav", "exe_01arz3ndektsv4rrffq69g5fav", "job_%00", "%27%20OR%201=1", "ä"],
)
async def test_an_unknown_and_a_malformed_id_are_answered_alike(api: Api, method: str, job_id: str) -> None:
    answered = await api.http.request(method, f"/v1/jobs/{job_id}")
    assert (answered.status_code, answered.json()["code"]) == (404, "not_found")


async def test_a_foreign_job_is_answered_as_an_unknown_one(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    async with api.another("other workspace") as other:
        assert (await other.http.get(path)).status_code == 404
        assert (await other.http.get(f"{path}/logs")).status_code == 404
        assert (await other.http.delete(path)).status_code == 404
        assert (await other.http.get("/v1/jobs")).json()["data"] == []
    assert (await api.http.get(path)).status_code == 200


class TestLists:
    async def pages(self, api: Api, **query: Any) -> list[list[str]]:
        pages, cursor = [], None
        while True:
            page = await api.http.get("/v1/jobs", params=query | ({"cursor": cursor} if cursor else {}))
            assert page.status_code == 200, page.text
            pages.append([job["name"] for job in page.json()["data"]])
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return pages

    async def store(self, api: Api, *names: str, **fields: Any) -> None:
        for name in names:
            created = await api.http.post("/v1/jobs", json=job_body(name=name, **fields))
            assert created.status_code == 201
            await self.later_than(created.json()["id"])

    async def later_than(self, job_id: str) -> None:
        """Ids tell milliseconds apart; return in a later one, whose jobs are newer."""
        while new_id("job", datetime.now(UTC), RANDOM)[:14] == job_id[:14]:
            await asyncio.sleep(0)

    async def test_newest_first_in_pages(self, api: Api) -> None:
        await self.store(api, *"abcde")
        assert await self.pages(api, limit=2) == [["e", "d"], ["c", "b"], ["a"]]
        assert await self.pages(api, limit=5) == [["e", "d", "c", "b", "a"]]

    async def test_payloads_are_there_where_they_are_asked_for(self, api: Api) -> None:
        await self.store(api, "a", payload={"a": 1})
        await self.store(api, "b", payload=None)
        [b, a] = (await api.http.get("/v1/jobs")).json()["data"]
        assert "payload" not in a
        assert "payload" not in b
        listed = (await api.http.get("/v1/jobs", params={"include": "payload"})).json()["data"]
        assert listed == [b | {"payload": None}, a | {"payload": {"a": 1}}]
        assert (await api.http.get("/v1/jobs", params={"include": "logs"})).status_code == 400

    @pytest.mark.parametrize("include", ["payload", None])
    async def test_a_page_ends_where_its_jobs_take_too_much(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, include: str | None
    ) -> None:
        monkeypatch.setattr(jobs, "MAX_PAGE_BYTES", 2500)
        await self.store(api, "a", "b", "c", payload="x" * 1000)
        query = {} if include is None else {"include": include}
        assert await self.pages(api, **query) == ([["c", "b"], ["a"]] if include else [["c", "b", "a"]])

    async def test_a_page_stays_where_it_was_while_jobs_arrive(self, api: Api) -> None:
        await self.store(api, *"abcd")
        first = (await api.http.get("/v1/jobs", params={"limit": 2})).json()
        await self.store(api, "new")
        second = (await api.http.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert [job["name"] for job in second["data"]] == ["b", "a"]

    async def test_filters(self, api: Api) -> None:
        await self.store(api, "daily report", tags=["x"])
        await self.store(api, "weekly", tags=["x", "y"])
        assert await self.pages(api, tag="x") == [["weekly", "daily report"]]
        assert await self.pages(api, tag="y") == [["weekly"]]
        assert await self.pages(api, q="REPORT") == [["daily report"]]
        assert await self.pages(api, q="%") == [[]]
        assert await self.pages(api, status="active", tag="y") == [["weekly"]]
        assert await self.pages(api, status="paused") == [[]]


async def test_the_rows_of_a_log_are_counted_up_to_a_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    for _ in range(3):
        await run_and_finish(api, path)
    for bound, total in ((3, 3), (2, None)):
        monkeypatch.setattr(job_service, "COUNTED_UP_TO", bound)
        for offset, has_more in ((0, True), (1, False)):
            page = (await api.http.get(f"{path}/logs", params={"limit": 2, "offset": offset})).json()
            assert (len(page["data"]), page["total"], page["has_more"]) == (2, total, has_more)


async def test_a_job_that_is_over_is_unknown_after_the_retention(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    await run_and_finish(api, path)
    stored = await api.backends.store.get_job(api.workspace_id, path.rpartition("/")[2])
    assert stored is not None
    over = stored.changed(NOW, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=None)
    assert await api.backends.store.change_job(over, expected=stored, cancel=None, max_jobs=None, now=NOW)
    assert (await api.http.get(path)).json()["status"] == "inactive"
    await api.backends.store.prune(LONG_AFTER, 10, now=NOW)
    await api.backends.store.prune_jobs(LONG_AFTER, 10)
    for gone in (path, f"{path}/logs", f"{path}/executions"):
        assert (await api.http.get(gone)).status_code == 404
    assert (await api.http.post(f"{path}/run")).status_code == 404
    assert (await api.http.delete(path)).status_code == 404
    assert (await api.http.get("/v1/jobs")).json()["data"] == []


async def run_and_finish(api: Api, path: str) -> None:
    """A run by hand that succeeds."""
    store, worker_id = api.backends.store, make_id("wrk")
    execution_id = (await api.http.post(f"{path}/run")).json()["id"]
    await store.register_worker(worker_id, NOW)
    [claim] = await store.claim([execution_id], worker_id=worker_id, now=LONG_AFTER)
    await store.finish([succeeded(claim)], NOW)


async def test_the_log_of_a_new_job_is_empty(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    page = await api.http.get(f"{path}/logs", params={"limit": 10, "offset": 5, "order": "asc", "status": "failed"})
    assert page.json() == {"data": [], "total": 0, "offset": 5, "limit": 10, "has_more": False}


async def test_the_quota_holds_exactly_while_creations_race(api: Api) -> None:
    for _ in range(99):
        assert (await api.http.post("/v1/jobs", json=job_body())).status_code == 201
    answers = await asyncio.gather(*(api.http.post("/v1/jobs", json=job_body()) for _ in range(50)))
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == 49
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(429, "quota_exceeded")}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    async with api.another("other workspace") as other:
        assert (await other.http.post("/v1/jobs", json=job_body())).status_code == 201


class TestIdempotency:
    async def post(self, api: Api, key: str, **fields: Any) -> httpx.Response:
        return await api.http.post("/v1/jobs", json=job_body(**fields), headers={"idempotency-key": key})

    async def test_a_request_repeated_at_once_makes_one_job(self, api: Api) -> None:
        answers = await asyncio.gather(*(self.post(api, "k") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({(answer.content, answer.headers["location"]) for answer in answers}) == 1
        assert len((await api.http.get("/v1/jobs")).json()["data"]) == 1

    async def test_another_body_under_the_same_key_is_refused(self, api: Api) -> None:
        await self.post(api, "k")
        refused = await self.post(api, "k", name="other")
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")

    async def test_refusals_are_not_kept(self, api: Api) -> None:
        assert (await self.post(api, "k", cron="no")).status_code == 400
        assert (await self.post(api, "k")).status_code == 201

    async def test_a_repeat_is_answered_when_the_quota_is_used_up(self, api: Api) -> None:
        first = await self.post(api, "k")
        for _ in range(99):
            assert (await api.http.post("/v1/jobs", json=job_body())).status_code == 201
        repeated = await self.post(api, "k")
        assert (repeated.status_code, repeated.content) == (201, first.content)

    async def test_keys_belong_to_a_workspace(self, api: Api) -> None:
        first = await self.post(api, "k")
        async with api.another("other workspace") as other:
            second = await self.post(other, "k")
        assert second.status_code == 201
        assert second.json()["id"] != first.json()["id"]

    @pytest.mark.parametrize("key", ["", "x" * 256, "two words"])
    async def test_malformed_keys_are_refused(self, api: Api, key: str) -> None:
        assert (await self.post(api, key)).status_code == 400
