from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import Job, JobDefinition, JobStatus
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.errors import Conflict, InvalidCron, InvalidHeaders, InvalidRequest, InvalidTimezone
from cronhook_core.wire.converter import read_request, to_json
from cronhook_core.wire.job_patch import patched
from cronhook_core.wire.v1 import JobRead, JobWrite

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TEN_SECONDS = timedelta(seconds=10)


def body(**fields: Any) -> dict[str, Any]:
    written = {"name": "report", "cron": "0 9 * * *", "callback_url": "https://example.com/hook"} | fields
    return {name: value for name, value in written.items() if value is not ...}


def definition(**fields: Any) -> JobDefinition:
    return read_request(body(**fields), JobWrite).to_definition()


def test_the_least_that_must_be_written() -> None:
    made = definition()
    assert made.schedule == CronSchedule("0 9 * * *", "UTC")
    assert made.payload == b"null"
    assert made.timeout == TEN_SECONDS
    assert made.retry_policy.delays == tuple(timedelta(seconds=s) for s in (30, 120, 600))
    assert (made.headers, made.tags, dict(made.metadata)) == ((), (), {})


def test_all_that_can_be_written() -> None:
    made = definition(
        cron=...,
        run_at="2030-01-02T00:00:00+01:00",
        headers={"X-One": "1", "authorization": "Bearer x"},
        payload={"ä": [1, 2.5, None]},
        timeout_seconds=1.5,
        retry_delays_seconds=[1, 2.5],
        tags=["a", "b", "a"],
        metadata={"k": "v"},
    )
    assert made.schedule == OneTimeSchedule(datetime(2030, 1, 1, 23, tzinfo=UTC))
    assert made.headers == (("X-One", "1"), ("authorization", "Bearer x"))
    assert made.payload == '{"ä":[1,2.5,null]}'.encode()
    assert made.timeout == timedelta(seconds=1.5)
    assert made.retry_policy.delays == (timedelta(seconds=1), timedelta(seconds=2.5))
    assert made.tags == ("a", "b")
    assert made.metadata == {"k": "v"}


def test_the_server_decides_the_timeout_that_is_not_written() -> None:
    made = read_request(body(), JobWrite).to_definition(default_timeout=timedelta(seconds=30))
    assert made.timeout == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("fields", "kind", "pointers"),
    [
        ({"cron": ...}, InvalidRequest, {"/cron", "/run_at"}),
        ({"run_at": "2030-01-01T00:00:00Z"}, InvalidRequest, {"/cron", "/run_at"}),
        ({"cron": "60 * * * *"}, InvalidCron, {"/cron"}),
        ({"cron": "* * * * * *"}, InvalidCron, {"/cron"}),
        ({"cron": "0 0 30 2 *"}, InvalidCron, {"/cron"}),
        ({"cron": "59/15 * * * *"}, InvalidCron, {"/cron"}),
        ({"cron": "*" * 10_000}, InvalidCron, {"/cron"}),
        ({"timezone": "Mars/Olympus"}, InvalidTimezone, {"/timezone"}),
        ({"timezone": ""}, InvalidTimezone, {"/timezone"}),
        ({"cron": ..., "run_at": "2030-01-01T00:00:00Z", "timezone": "UTC"}, InvalidTimezone, {"/timezone"}),
        ({"name": ""}, InvalidRequest, {"/name"}),
        ({"name": "x" * 201}, InvalidRequest, {"/name"}),
        ({"headers": {"host": "x"}}, InvalidHeaders, {"/headers/host"}),
        ({"headers": {"a": "1", "A": "2"}}, InvalidHeaders, {"/headers/A"}),
        ({"headers": {"authorization": "***"}}, InvalidHeaders, {"/headers/authorization"}),
        ({"payload": "x" * 262_144}, InvalidRequest, {"/payload"}),
        ({"timeout_seconds": 0.9}, InvalidRequest, {"/timeout_seconds"}),
        ({"timeout_seconds": 61}, InvalidRequest, {"/timeout_seconds"}),
        ({"timeout_seconds": 1e300}, InvalidRequest, {"/timeout_seconds"}),
        ({"retry_delays_seconds": [1] * 21}, InvalidRequest, {"/retry_delays_seconds"}),
        ({"retry_delays_seconds": [1, 0.5]}, InvalidRequest, {"/retry_delays_seconds/1"}),
        ({"retry_delays_seconds": [1, -1e300]}, InvalidRequest, {"/retry_delays_seconds/1"}),
        ({"tags": ["x"] * 21}, InvalidRequest, {"/tags"}),
        ({"tags": ["a", " "]}, InvalidRequest, {"/tags/1"}),
        ({"tags": ["x" * 65]}, InvalidRequest, {"/tags/0"}),
        ({"metadata": {"k": "v" * 501}}, InvalidRequest, {"/metadata"}),
        ({"metadata": {"": "v"}}, InvalidRequest, {"/metadata"}),
        ({"metadata": {str(n): "" for n in range(51)}}, InvalidRequest, {"/metadata"}),
        ({"cron": "x", "headers": {"host": "x"}, "tags": [""]}, InvalidRequest, {"/cron", "/headers/host", "/tags/0"}),
    ],
)
def test_refuses(fields: dict[str, Any], kind: type[InvalidRequest], pointers: set[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        definition(**fields)
    assert type(refused.value) is kind
    assert {pointer for pointer, _ in refused.value.problems} == pointers


def job_of(made: JobDefinition) -> Job:
    return Job(
        id="job_01",
        workspace_id="wsp_01",
        definition=made,
        host="example.com",
        status=JobStatus.ACTIVE,
        next_run=NOW,
        created_at=NOW,
        updated_at=NOW,
        last_run=NOW,
        last_run_status=ExecutionStatus.SUCCEEDED,
    )


def test_a_job_is_read_with_its_secrets_masked() -> None:
    headers = {"authorization": "Bearer x", "X-Api-Key": "x", "accept": "text/plain"}
    read = to_json(JobRead.of(job_of(definition(headers=headers, payload=[1]))))
    assert read == {
        "id": "job_01",
        "name": "report",
        "status": "active",
        "inactive_reason": None,
        "cron": "0 9 * * *",
        "run_at": None,
        "timezone": "UTC",
        "callback_url": "https://example.com/hook",
        "headers": {"authorization": "***", "X-Api-Key": "***", "accept": "text/plain"},
        "payload": [1],
        "timeout_seconds": 10,
        "retry_delays_seconds": [30, 120, 600],
        "tags": [],
        "metadata": {},
        "next_run": "2030-01-01T00:00:00Z",
        "last_run": "2030-01-01T00:00:00Z",
        "last_run_status": "succeeded",
        "created_at": "2030-01-01T00:00:00Z",
        "updated_at": "2030-01-01T00:00:00Z",
    }


def test_a_one_time_job_has_no_time_zone() -> None:
    read = JobRead.of(job_of(definition(cron=..., run_at="2030-01-02T00:00:00Z")))
    assert (read.cron, read.timezone, read.run_at) == (None, None, datetime(2030, 1, 2, tzinfo=UTC))


class TestPatched:
    before = definition(
        timezone="Europe/Berlin", headers={"X-Token": "secret", "accept": "*/*"}, tags=["a", "b"], payload={"a": 1}
    )

    def patch(self, **changes: Any) -> JobDefinition:
        return patched(self.before, changes, default_timeout=TEN_SECONDS)

    def test_nothing_changes_nothing(self) -> None:
        assert self.patch() == self.before

    def test_lists_and_maps_are_replaced_whole(self) -> None:
        changed = self.patch(tags=["c"], headers={"accept": "text/plain"})
        assert (changed.tags, changed.headers) == (("c",), (("accept", "text/plain"),))

    def test_the_mask_keeps_the_stored_value(self) -> None:
        assert self.patch(headers={"x-token": "***"}).headers == (("x-token", "secret"),)
        assert self.patch(name="new").headers == self.before.headers

    def test_the_mask_without_a_stored_value_is_refused(self) -> None:
        with pytest.raises(InvalidHeaders):
            self.patch(headers={"x-other-token": "***"})

    def test_cron_and_run_at_change_places(self) -> None:
        once = self.patch(run_at="2030-01-02T00:00:00Z")
        assert once.schedule == OneTimeSchedule(datetime(2030, 1, 2, tzinfo=UTC))
        again = patched(once, {"cron": "5 5 * * *"}, default_timeout=TEN_SECONDS)
        assert again.schedule == CronSchedule("5 5 * * *", "UTC")

    def test_a_cron_line_keeps_its_zone_and_a_zone_its_line(self) -> None:
        assert self.patch(cron="1 1 * * *").schedule == CronSchedule("1 1 * * *", "Europe/Berlin")
        assert self.patch(timezone="Asia/Tokyo").schedule == CronSchedule("0 9 * * *", "Asia/Tokyo")

    @pytest.mark.parametrize(
        "changes",
        [
            {"cron": None},
            {"cron": "* * * * *", "run_at": "2030-01-02T00:00:00Z"},
            {"run_at": "2030-01-02T00:00:00Z", "timezone": "UTC"},
            {"name": None},
            {"nam": "x"},
            {"headers": []},
            {"status": "paused"},
        ],
    )
    def test_refuses(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidRequest):
            self.patch(**changes)

    def test_a_job_that_runs_once_has_no_zone_of_its_own(self) -> None:
        once = self.patch(run_at="2030-01-02T00:00:00Z")
        with pytest.raises(Conflict):
            patched(once, {"timezone": "UTC"}, default_timeout=TEN_SECONDS)
        assert patched(once, {"timezone": None}, default_timeout=TEN_SECONDS) == once
        with pytest.raises(InvalidRequest):
            patched(once, {"cron": None}, default_timeout=TEN_SECONDS)

    @pytest.mark.parametrize("changes", [None, [], "x", 1])
    def test_refuses_what_is_no_object(self, changes: object) -> None:
        with pytest.raises(InvalidRequest, match="must be an object"):
            patched(self.before, changes, default_timeout=TEN_SECONDS)

    def test_the_payload_stays_byte_for_byte(self) -> None:
        assert self.patch(name="new").payload is self.before.payload
        assert self.patch(payload=None).payload == b"null"


@pytest.mark.parametrize("seconds", [0.999_999_9, 60.000_000_1])
def test_a_timeout_just_beyond_a_bound_is_not_rounded_onto_it(seconds: float) -> None:
    with pytest.raises(InvalidRequest):
        definition(timeout_seconds=seconds)
    assert definition(timeout_seconds=round(seconds)).timeout == timedelta(seconds=round(seconds))
