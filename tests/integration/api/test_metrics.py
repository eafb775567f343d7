"""What Prometheus reads of the API."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cronhook_server.composition import Backends
from cronhook_server.openapi.answers import documented_answers
from tests.integration.api.conftest import Api, job_body, memory_backends


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    async with memory_backends() as backends:
        yield backends


async def requests(api: Api) -> dict[tuple[str, str, str], float]:
    async with api.sending({}) as http:
        page = await http.get("/metrics")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [sample for family in text_string_to_metric_families(page.text) for sample in family.samples]
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for sample in samples
        if sample.name == "cronhook_http_requests_total"
    }


async def test_requests_are_counted_by_route_template_and_status(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    await api.http.get(path)
    await api.http.get(path)
    await api.http.post(f"{path}/run", json={"x": 1})
    counted = await requests(api)
    assert counted[("POST", "/v1/jobs", "201")] == 1
    assert counted[("GET", "/v1/jobs/{job_id}", "200")] == 2
    assert counted[("POST", "/v1/jobs/{job_id}/run", "400")] == 1


async def test_every_answer_of_the_document_is_there_from_the_start(api: Api) -> None:
    """So that a rate sees the first error."""
    counted = await requests(api)
    assert set(counted) == {(method, route, str(status)) for method, route, status in documented_answers()}
    assert {count for labels, count in counted.items() if labels[1] != "/metrics"} == {0}
    assert ("POST", "/v1/jobs", "503") in counted


async def test_what_strangers_make_up_is_one_label(api: Api) -> None:
    async with api.sending({}) as http:
        for n in range(20):
            await http.get(f"/made/up/{n}")
            await http.request(f"X{n}", f"/made/up/{n}")
    counted = await requests(api)
    assert {labels: count for labels, count in counted.items() if labels[1] == "other"} == {
        ("GET", "other", "404"): 20,
        ("other", "other", "404"): 20,
    }


async def test_the_page_names_no_job_and_no_caller(api: Api) -> None:
    created = await api.http.post("/v1/jobs", json=job_body(name="canary-name"))
    await api.http.get(created.headers["location"])
    page = (await api.http.get("/metrics")).text
    for secret in (created.json()["id"], "canary-name", "example.com", api.workspace_id, api.key_id):
        assert secret not in page
    assert "cronhook_queue_depth" in page
