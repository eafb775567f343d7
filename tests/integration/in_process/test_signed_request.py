"""Requests for unit tests of receivers are what cronhook sends, and need the base install alone."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as IndependentWebhook

from cronhook_client import Webhook, WebhookVerificationError
from cronhook_server.testing import SIGNING_SECRET, InProcessServer, signed_request

URL = "https://app.example/hook"


def test_a_receiver_takes_it() -> None:
    scheduled_for = datetime(2030, 1, 31, 8, tzinfo=UTC)
    request = signed_request(
        {"report": "sales"}, execution_id="exe_1", job_id="job_1", scheduled_for=scheduled_for, attempt=2
    )
    delivery = Webhook(SIGNING_SECRET).verify(request.body, request.headers)
    assert (delivery.execution_id, delivery.job_id, delivery.scheduled_for, delivery.attempt, delivery.json()) == (
        "exe_1",
        "job_1",
        scheduled_for,
        2,
        {"report": "sales"},
    )
    assert IndependentWebhook(SIGNING_SECRET).verify(request.body, dict(request.headers)) == {"report": "sales"}


def test_one_that_must_be_refused() -> None:
    webhook = Webhook(SIGNING_SECRET)
    other = "whsec_" + "b3RoZXI0" * 6
    for request in (signed_request(secret=other), signed_request(at=datetime.now(UTC) - timedelta(hours=1))):
        with pytest.raises(WebhookVerificationError):
            webhook.verify(request.body, request.headers)


def test_a_body_of_ones_own_and_headers() -> None:
    request = signed_request(body=b"no json", headers={"x-team": "a", "webhook-id": "exe_forged"})
    assert request.headers["x-team"] == "a"
    assert Webhook(SIGNING_SECRET).verify(request.body, request.headers).execution_id == "exe_test"


def test_it_has_the_headers_that_cronhook_sends() -> None:
    payload, headers = {"a": [1], "name": "Zoë"}, {"Content-Type": "application/cloudevents+json", "User-Agent": "me"}
    with InProcessServer() as server:
        server.mount(URL, lambda body, headers: None)
        server.client.jobs.create(name="r", callback_url=URL, run_at=server.now, payload=payload)
        server.client.jobs.create(name="r", callback_url=URL, run_at=server.now, payload=payload, headers=headers)
        for sent, own in zip(server.advance(), ({}, headers), strict=True):
            made = signed_request(payload, headers=own)
            assert made.headers.keys() == sent.headers.keys()
            assert made.body == sent.body
            assert made.headers["content-type"] == sent.headers["content-type"]


def test_the_base_install_is_enough() -> None:
    code = (
        "import sys; from cronhook_server.testing import signed_request; signed_request({});"
        "print(*{'litestar', 'sqlalchemy', 'structlog', 'cronhook_core.engine'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
