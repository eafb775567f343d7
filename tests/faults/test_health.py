"""What probes and metrics say of the API while Redis or the database is away, and that they say it soon."""

from __future__ import annotations

import time

import httpx
import psutil
import pytest

from tests.faults.installation import Installation, metrics
from tests.faults.processes import CronhookProcess
from tests.services import PostgresServer, ValkeyServer, wait_until

SOON = 5.0
"""Seconds; a probe is given three by the server itself."""


def asked(installation: Installation, path: str) -> httpx.Response:
    """The answer, which must come soon."""
    began = time.monotonic()
    answer = installation.request("GET", path)
    assert time.monotonic() - began < SOON
    return answer


def asked_until(installation: Installation, path: str, status: int) -> httpx.Response:
    """The first answer with this status; results of checks are shared for a second, and so may be that old."""
    wait_until(lambda: asked(installation, path).status_code == status, SOON, f"{path} answers {status}")
    return asked(installation, path)


def states(answer: httpx.Response) -> dict[str, str]:
    return {check["name"]: check["status"] for check in answer.json()["checks"]}


def assert_well(installation: Installation) -> None:
    def well() -> bool:
        health = asked(installation, "/health")
        return (health.status_code, states(health)) == (200, {"database": "ok", "redis": "ok"})

    wait_until(well, 30, "all is well")
    assert asked(installation, "/readyz").json()["status"] == "ok"
    assert asked(installation, "/v1/jobs").status_code == 200


def test_redis_is_away(installation: Installation, own_valkey: ValkeyServer) -> None:
    (api,) = installation.open()
    assert_well(installation)
    own_valkey.kill()
    health, ready = asked_until(installation, "/health", 500), asked(installation, "/readyz")
    assert (health.status_code, health.json()["status"]) == (500, "failing")
    assert states(health) == {"database": "ok", "redis": "failing"}
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert asked(installation, "/livez").status_code == 200
    assert asked(installation, "/v1/jobs").status_code == 200
    wait_until(lambda: metrics(api)["cronhook_redis_up"] == 0, SOON, "the metrics say so")
    own_valkey.start()
    assert_well(installation)
    wait_until(lambda: metrics(api)["cronhook_redis_up"] == 1, SOON, "the metrics say so")


@pytest.mark.suite("faults")
def test_the_database_is_away(installation: Installation, own_postgres: PostgresServer) -> None:
    (api,) = installation.open()
    assert_well(installation)
    own_postgres.stop()
    health, ready = asked_until(installation, "/health", 500), asked_until(installation, "/readyz", 503)
    assert (health.status_code, states(health)) == (500, {"database": "failing", "redis": "ok"})
    assert (ready.status_code, ready.json()["status"]) == (503, "failing")
    assert asked(installation, "/livez").status_code == 200
    refused = asked(installation, "/v1/jobs")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    wait_until(lambda: metrics(api)["cronhook_database_up"] == 0, SOON, "the metrics say so")
    for inside in ("127.0.0.1", str(own_postgres.port), "psycopg"):
        assert inside not in health.text + ready.text + refused.text
    own_postgres.start()
    assert_well(installation)


@pytest.mark.suite("faults")
def test_the_api_starts_while_the_database_is_away(installation: Installation, own_postgres: PostgresServer) -> None:
    """It waits, and says in its own words that it does."""
    own_postgres.stop()
    api = CronhookProcess("api", settings=installation.settings).start()
    installation.processes.append(api)
    api.wait_for_line('"dependency_away"')
    health, ready, live = [asked(installation, path) for path in ("/health", "/readyz", "/livez")]
    assert (health.status_code, states(health)) == (500, {"database": "failing"})
    assert (ready.status_code, ready.json()["status"]) == (503, "failing")
    assert (live.status_code, live.json()["status"]) == (200, "ok")
    refused = asked(installation, "/v1/jobs?limit=1")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["instance"]) == (503, "unavailable", "/v1/jobs")
    assert int(refused.headers["retry-after"]) >= 1
    assert problem["request_id"] == refused.headers["x-request-id"]
    assert all(answer.headers["x-request-id"] for answer in (health, ready, live))
    own_postgres.start()
    installation.make_key()
    assert_well(installation)


@pytest.mark.full
def test_a_database_that_says_nothing_hangs_nobody(installation: Installation, own_postgres: PostgresServer) -> None:
    installation.open()
    assert_well(installation)
    postmaster = psutil.Process(own_postgres.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        assert asked(installation, "/health").status_code == 500
        assert asked(installation, "/readyz").status_code == 503
        assert asked(installation, "/livez").status_code == 200
        assert "\ncronhook_database_up 0.0\n" in asked(installation, "/metrics").text
        assert asked(installation, "/v1/jobs").status_code == 503
    finally:
        for process in processes:
            process.resume()
    assert_well(installation)
