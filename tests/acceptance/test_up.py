"""What a user sees of `cronhook up` in an empty folder."""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.acceptance.conftest import EveryMinute
from tests.acceptance.running import Up, ahead, run
from tests.receiver import Receiver
from tests.services import wait_until


def seconds_after(instant: str, arrived: datetime) -> float:
    return (arrived - datetime.fromisoformat(instant)).total_seconds()


class TestTheFirstStart:
    @pytest.mark.suite("integration")
    def test_makes_its_files_for_its_owner(self, up: Up) -> None:
        kept = {path.name for path in up.folder.iterdir() if not path.name.startswith("cronhook.db-")}
        assert kept == {"cronhook.db", "cronhook.db.key", "cronhook.db.first-key", "log"}
        for secret in ("cronhook.db.key", "cronhook.db.first-key"):
            assert stat.S_IMODE((up.folder / secret).stat().st_mode) == 0o600

    def test_the_first_key_is_in_a_file_and_not_in_what_a_log_would_keep(self, up: Up) -> None:
        assert f"  API key    in {up.folder / 'cronhook.db.first-key'}  " in up.output
        assert "chk_" not in up.output + up.log
        assert up.get("/v1/jobs")["data"] == []

    def test_prints_the_address_and_a_line_that_works(self, up: Up) -> None:
        assert f"  {up.url}\n" in up.output.replace("address  ", "")
        line = subprocess.run(
            ["sh", "-c", f"printf '%s\\n' {up.curl_line()}"], capture_output=True, text=True, check=True
        )
        _, url, *options = line.stdout.splitlines()
        values = dict(zip(options[::2], options[1::2], strict=True))
        headers = dict(
            value.split(": ") for flag, value in zip(options[::2], options[1::2], strict=True) if flag == "-H"
        )
        body = json.loads(values["-d"])
        created = httpx.post(url, headers=headers, content=values["-d"])
        assert created.status_code == 201, created.text
        assert 0 < seconds_after(created.json()["created_at"], datetime.fromisoformat(body["run_at"])) < 15

    @pytest.mark.suite("integration")
    def test_names_the_page_that_shows_the_api(self, up: Up) -> None:
        assert f"{up.url}/docs\n" in up.output
        assert httpx.get(f"{up.url}/docs").status_code == 200

    @pytest.mark.suite("integration")
    def test_the_next_start_keeps_the_key_and_prints_none(self, up: Up) -> None:
        key = up.key
        assert up.stop() == 0
        up.start()
        assert "chk_" not in up.output
        assert up.key == key
        assert up.get("/v1/jobs")["data"] == []


@pytest.mark.suite("integration")
def test_who_read_its_log_ends_and_it_goes_on(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `cronhook up 2>&1 | tee log` does whose `tee` was killed: results are written, and it ends in order."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    with Up(tmp_path) as up:
        os.close(reader)
        for _ in range(3):
            job = up.create(run_at=ahead(seconds=0.2), callback_url=receiver.url("/echo"))
            assert up.ended(job["id"])["last_run_status"] == "succeeded"
        assert up.stop() == 0


def test_a_one_time_job_runs_within_a_third_of_a_second(up: Up, receiver: Receiver, delay: Callable[[], float]) -> None:
    job = up.create(
        run_at=ahead(seconds=2), callback_url=receiver.url("/echo"), payload={"ä": 1}, headers={"x-mine": "1"}
    )
    (arrival,) = receiver.wait_for(1)
    assert 0 <= seconds_after(job["run_at"], arrival.at) < 0.3 + delay()
    assert json.loads(arrival.body) == {"ä": 1}
    assert arrival.headers["x-mine"] == "1"
    assert arrival.headers["content-type"] == "application/json"
    assert arrival.headers["cronhook-job-id"] == job["id"]
    assert arrival.headers["cronhook-scheduled-for"] == job["run_at"]
    ended = up.ended(job["id"])
    assert (ended["inactive_reason"], ended["next_run"], ended["last_run_status"]) == ("completed", None, "succeeded")
    (row,) = up.rows(job["id"])
    assert (row["attempt"], row["status"], row["outcome"]) == (1, "succeeded", "succeeded")
    assert (row["response_status"], row["response_body"]) == (200, '{"ä":1}')
    assert 0 < row["duration_ms"] < 1000
    assert row["execution_id"] == arrival.webhook_id
    assert row["scheduled_for"] == job["run_at"]


def test_failures_are_retried_on_the_given_delays(up: Up, receiver: Receiver, delay: Callable[[], float]) -> None:
    job = up.create(run_at=ahead(seconds=0), callback_url=receiver.url("/fail-twice"), retry_delays_seconds=[1, 2, 3])
    first, second, third = receiver.wait_for(3)
    assert up.ended(job["id"])["inactive_reason"] == "completed"
    assert 0.9 <= second.monotonic - first.monotonic < 1.1 + 0.3 + delay()
    assert 1.8 <= third.monotonic - second.monotonic < 2.2 + 0.3 + delay()
    assert len({arrival.webhook_id for arrival in (first, second, third)}) == 1
    assert [arrival.headers["cronhook-attempt"] for arrival in (first, second, third)] == ["1", "2", "3"]
    rows = up.rows(job["id"])
    assert [row["status"] for row in rows] == ["failed", "failed", "succeeded"]
    assert [row["response_status"] for row in rows] == [500, 500, 200]
    assert [row["outcome"] for row in rows] == ["http_error", "http_error", "succeeded"]
    assert rows[0]["error"]
    late = seconds_after(rows[0]["next_attempt_at"], datetime.fromisoformat(rows[1]["started_at"]))
    assert -0.1 <= late < 0.3 + delay()
    assert rows[2]["next_attempt_at"] is None


@pytest.mark.suite("integration")
def test_a_job_whose_retries_are_used_up_has_failed(up: Up, receiver: Receiver) -> None:
    job = up.create(run_at=ahead(seconds=0), callback_url=receiver.url("/status/500"), retry_delays_seconds=[1])
    ended = up.ended(job["id"])
    assert (ended["inactive_reason"], ended["last_run_status"]) == ("failed", "failed")
    assert len(receiver.arrivals) == 2


def test_a_deleted_job_never_fires(up: Up, receiver: Receiver) -> None:
    deleted = up.create(run_at=ahead(seconds=1), callback_url=receiver.url("/deleted"))
    witness = up.create(run_at=ahead(seconds=2), callback_url=receiver.url("/witness"))
    assert up.request("DELETE", f"/v1/jobs/{deleted['id']}").status_code == 204
    up.ended(witness["id"])
    assert [arrival.path for arrival in receiver.arrivals] == ["/witness"]


def test_signatures_are_those_of_standard_webhooks(every_minute: EveryMinute, tmp_path: Path) -> None:
    """Another implementation verifies them, with the secret that the operator's key file gives."""
    from cronhook_core.domain.signature import derive_signing_secret, encode_secret

    up, (arrival, *_) = every_minute.up, every_minute.receiver.wait_for(1, 70)
    ((workspace_id,),) = up.query("SELECT id FROM workspaces WHERE name = 'default'")
    secret_key = (up.folder / "cronhook.db.key").read_text().strip()
    secret = encode_secret(derive_signing_secret(secret_key, workspace_id=workspace_id, version=1))
    signed = {name: value for name, value in arrival.headers.items() if name.startswith("webhook-")}
    assert Webhook(secret).verify(arrival.body, signed) is None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"cron": "60 * * * *"}, "/cron"),
        ({"cron": "0 0 30 2 *"}, "/cron"),
        ({"cron": "0 0 * * * *"}, "/cron"),
        ({"cron": "59/15 * * * *"}, "/cron"),
        ({"cron": "*" * 10_000}, "/cron"),
        ({"cron": "0 0 * * *", "timezone": "Mars/Olympus"}, "/timezone"),
        ({"run_at": "2020-01-01T00:00:00Z"}, "/run_at"),
        ({"run_at": "2100-01-01T00:00:00Z", "cron": "0 0 * * *"}, "/run_at"),
        ({}, "/run_at"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_field_and_reason(
    every_minute: EveryMinute, fields: dict[str, Any], pointer: str
) -> None:
    body = {"name": "bad", "callback_url": "https://example.com/"} | fields
    refused = every_minute.up.request("POST", "/v1/jobs", json=body)
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    reasons = {error["pointer"]: error["detail"] for error in refused.json()["errors"]}
    assert reasons[pointer]


def test_private_and_denied_addresses_are_not_called(tmp_path: Path, receiver: Receiver) -> None:
    with Up(tmp_path, allowed_targets="", denied_targets="8.8.8.0/24") as up:
        answers = [
            up.request("POST", "/v1/jobs", json={"name": "x", "cron": "* * * * *", "callback_url": url})
            for url in (receiver.url("/"), "https://8.8.8.8/", "https://8.8.4.4/")
        ]
    assert [answer.status_code for answer in answers] == [400, 400, 201]
    assert [answer.json()["code"] for answer in answers[:2]] == ["invalid_callback_url"] * 2
    assert "CRONHOOK_DENIED_TARGETS" in answers[1].text


class TestTheEnd:
    @pytest.mark.suite("integration")
    def test_sends_under_way_are_waited_for(self, up: Up, receiver: Receiver) -> None:
        job = up.create(run_at=ahead(seconds=0), callback_url=receiver.url("/slow/1"))
        receiver.wait_for(1)
        assert up.stop() == 0
        up.start()
        assert [row["status"] for row in up.rows(job["id"])] == ["succeeded"]
        assert len(receiver.arrivals) == 1

    @pytest.mark.suite("integration")
    def test_the_second_signal_waits_for_nothing(self, up: Up, receiver: Receiver) -> None:
        up.create(run_at=ahead(seconds=0), callback_url=receiver.url("/silent"))
        receiver.wait_for(1)
        began = time.monotonic()
        up.signal(signal.SIGTERM)
        wait_until(lambda: '"stopping"' in up.log, 10, "the first signal was heard")
        up.signal(signal.SIGTERM)
        assert up.wait() == 0
        assert time.monotonic() - began < 5

    @pytest.mark.suite("integration")
    def test_ctrl_c_ends_it_as_well(self, up: Up) -> None:
        up.signal(signal.SIGINT)
        assert up.wait() == 0
        assert "Traceback" not in up.log + up.output


@pytest.mark.suite("integration")
def test_keys_are_made_and_revoked_beside_a_running_server(up: Up) -> None:
    made = run("keys", "create", "--workspace", "other", "--scopes", "read", "-o", "json", folder=up.folder)
    key = json.loads(made.stdout)
    assert key.keys() >= {"id", "key", "workspace_id"}
    up.key = key["key"]
    assert up.get("/v1/jobs")["data"] == []
    assert up.request("POST", "/v1/jobs", json={}).status_code == 403
    listed = json.loads(run("keys", "list", "-w", "other", "-o", "json", folder=up.folder).stdout)
    assert [row["id"] for row in listed] == [key["id"]]
    assert key["key"] not in str(listed)
    assert run("keys", "revoke", key["id"], "-w", "other", folder=up.folder).returncode == 0
    assert up.request("GET", "/v1/jobs").status_code == 401


def test_no_secret_is_ever_logged(up: Up, receiver: Receiver) -> None:
    job = up.create(
        run_at=ahead(seconds=0), callback_url=receiver.url("/status/500"), headers={"authorization": "canary-header"},
        payload="canary-payload", retry_delays_seconds=[],
    )  # fmt: skip
    up.ended(job["id"])
    up.request("POST", "/v1/jobs", content=b"canary-body")
    secret_key = (up.folder / "cronhook.db.key").read_text().strip()
    assert up.stop() == 0
    for canary in (up.key or "", secret_key, "canary-header", "canary-payload", "canary-body"):
        assert canary not in up.log
    log = up.log.replace(" ", "")
    assert '"event":"attempt"' in log
    assert '"event":"request"' in log


@pytest.mark.suite("integration")
def test_a_job_of_every_minute_runs_at_the_minute_and_at_the_next(every_minute: EveryMinute) -> None:
    first, second, *_ = every_minute.receiver.wait_for(2, timeout=130)
    for arrival in (first, second):
        scheduled_for = datetime.fromisoformat(arrival.headers["cronhook-scheduled-for"])
        assert (scheduled_for.second, scheduled_for.microsecond, scheduled_for.tzinfo) == (0, 0, UTC)
        assert 0 <= (arrival.at - scheduled_for).total_seconds() < 0.3 + every_minute.delay()
    gap = datetime.fromisoformat(second.headers["cronhook-scheduled-for"]) - datetime.fromisoformat(
        first.headers["cronhook-scheduled-for"]
    )
    assert gap.total_seconds() == 60
    job = every_minute.up.get(f"/v1/jobs/{every_minute.job_id}")
    assert (job["status"], job["last_run_status"]) == ("active", "succeeded")
