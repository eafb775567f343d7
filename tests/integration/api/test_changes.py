"""What users do with jobs that are stored."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.errors import InvalidCron
from cronhook_core.ports.job_catalog import JobFilter
from tests.integration.api.conftest import Api, instant, job_body


async def made(api: Api, **fields: Any) -> str:
    created = await api.http.post("/v1/jobs", json=job_body(**fields))
    assert created.status_code == 201, created.text
    path: str = created.headers["location"]
    return path


async def done(answered: httpx.Response, status: int = 200) -> Any:
    assert answered.status_code == status, answered.text
    return answered.json()


async def test_a_patch_changes_what_it_names(api: Api) -> None:
    path = await made(api, headers={"authorization": "secret", "x-a": "1"}, tags=["a"], payload={"n": 1})
    before = await done(await api.http.get(path))
    after = await done(await api.http.patch(path, json={"name": "new", "tags": ["b"]}))
    assert after == before | {"name": "new", "tags": ["b"], "updated_at": after["updated_at"]}


async def test_a_patch_keeps_what_is_masked(api: Api) -> None:
    path = await made(api, headers={"authorization": "secret", "x-a": "1"})
    before = await api.backends.store.get_job(api.workspace_id, path.rpartition("/")[2])
    after = await done(await api.http.patch(path, json={"headers": {"authorization": "***"}}))
    assert after["headers"] == {"authorization": "***"}
    stored = await api.backends.store.get_job(api.workspace_id, after["id"])
    assert before is not None
    assert stored is not None
    assert stored.definition.headers == before.definition.headers[:1]


async def test_a_patch_reschedules(api: Api) -> None:
    path = await made(api)
    run_at = instant(hours=1)
    once = await done(await api.http.patch(path, json={"run_at": run_at}))
    assert (once["cron"], once["timezone"], once["next_run"]) == (None, None, once["run_at"])
    again = await done(await api.http.patch(path, json={"cron": "0 0 1 1 *", "timezone": "Asia/Tokyo"}))
    assert (again["run_at"], again["next_run"][5:16]) == (None, "12-31T15:00")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cron": "x"}, "invalid_cron"),
        ({"cron": None}, "invalid_request"),
        ({"callback_url": "http://10.0.0.1/"}, "invalid_callback_url"),
        ({"headers": {"x-key": "***"}}, "invalid_headers"),
        ({"status": "paused"}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
async def test_a_patch_is_judged_like_a_creation(api: Api, changes: Any, code: str) -> None:
    path = await made(api)
    before = await done(await api.http.get(path))
    assert (await done(await api.http.patch(path, json=changes), 400))["code"] == code
    assert await done(await api.http.get(path)) == before


async def test_pause_and_resume_may_be_repeated(api: Api) -> None:
    path = await made(api)
    for _ in range(2):
        job = await done(await api.http.post(f"{path}/pause"))
        assert (job["status"], job["next_run"]) == ("paused", None)
    for _ in range(2):
        job = await done(await api.http.post(f"{path}/resume", json={}))
        assert job["status"] == "active"
        assert job["next_run"] is not None


async def test_an_inactive_job_is_neither_paused_nor_resumed_but_rescheduled(api: Api) -> None:
    path = await made(api, cron=None, run_at=instant(seconds=-5))
    await done(await api.http.post(f"{path}/pause"))
    missed = await done(await api.http.post(f"{path}/resume"))
    assert (missed["status"], missed["inactive_reason"]) == ("inactive", "missed")
    for act in ("pause", "resume"):
        assert (await done(await api.http.post(f"{path}/{act}"), 409))["code"] == "conflict"
    revived = await done(await api.http.patch(path, json={"run_at": instant(hours=1)}))
    assert (revived["status"], revived["inactive_reason"]) == ("active", None)


async def test_a_job_that_a_receiver_ended_is_switched_on_with_the_line_that_it_has(api: Api) -> None:
    path = await made(api, cron="0 0 * * *")
    [job] = await api.backends.store.list_jobs(api.workspace_id, JobFilter(), limit=1)
    gone = job.changed(
        api.backends.clock.now(), status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=None
    )
    assert await api.backends.store.change_job(gone, expected=job, cancel=None, max_jobs=None, now=gone.updated_at)
    assert (await done(await api.http.patch(path, json={"name": "still gone"})))["status"] == "inactive"
    revived = await done(await api.http.patch(path, json={"cron": "0 0 * * *"}))
    assert (revived["status"], revived["inactive_reason"]) == ("active", None)
    assert revived["next_run"] is not None


async def test_a_patch_does_not_read_the_stored_schedule_anew(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await made(api, cron="0 0 * * *")

    def reads_nothing(*_: object) -> None:
        raise InvalidCron("read differently by now")

    monkeypatch.setattr("cronhook_core.wire.job.read_schedule", reads_nothing)
    assert (await done(await api.http.patch(path, json={"name": "another"})))["name"] == "another"
    assert (await done(await api.http.patch(path, json={"cron": "0 1 * * *"}), 400))["code"] == "invalid_cron"


async def test_every_way_back_from_inactive_is_held_against_the_quota(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await made(api, cron=None, run_at=instant(seconds=-5))
    await done(await api.http.post(f"{path}/pause"))
    await done(await api.http.post(f"{path}/resume"))
    service = api.application.state.services.jobs
    monkeypatch.setattr(service, "_max_jobs", 1)
    other = await made(api)
    for changes in ({"run_at": instant(hours=1)}, {"cron": "0 0 * * *"}):
        refused = await api.http.patch(path, json=changes)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
        assert int(refused.headers["retry-after"]) >= 1
    assert (await done(await api.http.patch(path, json={"name": "still inactive"})))["status"] == "inactive"
    await done(await api.http.post(f"{other}/pause"))
    assert (await api.http.patch(path, json={"cron": "0 0 * * *"})).status_code == 429
    assert (await api.http.delete(other)).status_code == 204
    assert (await done(await api.http.patch(path, json={"cron": "0 0 * * *"})))["status"] == "active"


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        (QueueBounds(per_job=2, per_workspace=9), "The job already has its maximum of 2 executions queued by runs"),
        (QueueBounds(per_job=9, per_workspace=2), "The workspace already has its maximum of 2 executions queued by"),
    ],
)
async def test_runs_and_replays_beyond_a_bound_are_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch, bounds: QueueBounds, told: str
) -> None:
    service = api.application.state.services.jobs
    monkeypatch.setattr(service, "_bounds", bounds)
    path = await made(api)
    ended = await done(await api.http.post(f"{path}/run"), 202)
    await done(await api.http.post(f"/v1/executions/{ended['id']}/cancel"))
    replay = f"/v1/executions/{ended['id']}/replay"
    queued = [await done(await api.http.post(act), 202) for act in (f"{path}/run", replay)]
    assert (await api.http.get("/v1/workspace")).json()["usage"]["queued_executions"] == 2
    for act in (f"{path}/run", replay):
        refused = await api.http.post(act)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
        assert refused.json()["detail"].startswith(told)
        assert refused.headers["retry-after"] == "60"
    await done(await api.http.post(f"/v1/executions/{queued[0]['id']}/cancel"))
    await done(await api.http.post(f"{path}/run"), 202)


async def test_a_zone_alone_does_not_fit_a_job_that_runs_once(api: Api) -> None:
    path = await made(api, cron=None, run_at=instant(hours=1))
    assert (await done(await api.http.patch(path, json={"timezone": "Asia/Tokyo"}), 409))["code"] == "conflict"
    assert (await done(await api.http.patch(path, json={"cron": None}), 400))["code"] == "invalid_request"


async def test_a_page_of_executions_stays_where_it_was_while_others_arrive(api: Api) -> None:
    path = await made(api)
    first = [(await done(await api.http.post(f"{path}/run"), 202))["id"] for _ in range(4)]
    page = await done(await api.http.get(f"{path}/executions?limit=2"))
    later = [(await done(await api.http.post(f"{path}/run"), 202))["id"] for _ in range(3)]
    rest = await done(await api.http.get(f"{path}/executions", params={"cursor": page["next_cursor"]}))
    assert sorted(row["id"] for row in page["data"] + rest["data"]) == sorted(first)
    assert not {row["id"] for row in rest["data"]} & set(later)


async def test_a_run_is_queued_cancelled_and_replayed(api: Api) -> None:
    path = await made(api)
    await api.http.post(f"{path}/pause")
    answered = await api.http.post(f"{path}/run")
    execution = await done(answered, 202)
    assert (execution["trigger"], execution["status"], execution["attempts"]) == ("manual", "queued", 0)
    location = answered.headers["location"]
    assert await done(await api.http.get(location)) == execution | {"logs": []}
    assert (await done(await api.http.post(f"{location}/replay"), 409))["code"] == "conflict"
    cancelled = await done(await api.http.post(f"{location}/cancel"))
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "cancelled")
    assert (await done(await api.http.post(f"{location}/cancel"), 409))["code"] == "conflict"
    replayed = await done(await api.http.post(f"{location}/replay"), 202)
    assert (replayed["trigger"], replayed["status"]) == ("replay", "queued")
    job = await done(await api.http.get(path))
    assert (job["status"], job["last_run_status"]) == ("paused", "queued")
    await api.http.delete(path)
    after = await done(await api.http.get(f"/v1/executions/{replayed['id']}"))
    assert (after["status"], after["reason"]) == ("cancelled", "deleted")


async def test_executions_in_pages(api: Api) -> None:
    path = await made(api)
    ids = [(await done(await api.http.post(f"{path}/run"), 202))["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = await done(await api.http.get(f"{path}/executions", params=query))
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await done(await api.http.post(f"{path}/run"), 202)
    assert seen == sorted(ids, reverse=True)
    assert (await done(await api.http.get(f"{path}/executions?status=failed")))["data"] == []


ACTIONS = ["pause", "resume", "run"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("body", [b"[]", b"null", b'{"a": 1}', b"{"])
async def test_an_action_takes_no_fields(api: Api, action: str, body: bytes) -> None:
    path = await made(api)
    answered = await api.http.post(f"{path}/{action}", content=body, headers={"content-type": "application/json"})
    assert (answered.status_code, answered.json()["code"]) == (400, "invalid_request")


class TestIdempotency:
    async def test_five_parallel_runs_are_one(self, api: Api) -> None:
        path = await made(api)
        answers = await asyncio.gather(
            *(api.http.post(f"{path}/run", headers={"idempotency-key": "k"}) for _ in range(5))
        )
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
        assert len((await done(await api.http.get(f"{path}/executions")))["data"]) == 1

    @pytest.mark.parametrize("action", ["pause", "resume"])
    async def test_a_repeated_action_gets_the_first_answer(self, api: Api, action: str) -> None:
        path, headers = await made(api), {"idempotency-key": "k"}
        first = await api.http.post(f"{path}/{action}", headers=headers)
        await api.http.delete(path)
        repeated = await api.http.post(f"{path}/{action}", headers=headers, json={})
        assert (repeated.status_code, repeated.content) == (200, first.content)

    async def test_cancel_and_replay_may_be_repeated(self, api: Api) -> None:
        path = await made(api)
        run = (await api.http.post(f"{path}/run")).headers["location"]
        for action in ("cancel", "replay"):
            answers = [await api.http.post(f"{run}/{action}", headers={"idempotency-key": action}) for _ in range(2)]
            assert answers[0].is_success
            assert answers[0].content == answers[1].content

    async def test_a_repeat_is_answered_when_it_would_be_invalid_by_now(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = job_body(cron=None, run_at=instant(hours=1))
        first = await api.http.post("/v1/jobs", json=body, headers={"idempotency-key": "k"})
        monkeypatch.setattr("cronhook_core.domain.job_changes.RUN_AT_HORIZON", timedelta(0))
        assert (await api.http.post("/v1/jobs", json=body)).status_code == 400
        repeated = await api.http.post("/v1/jobs", json=body, headers={"idempotency-key": "k"})
        assert (repeated.status_code, repeated.content) == (201, first.content)
        assert repeated.headers["location"] == first.headers["location"]
