"""The pages of daemons, and of an API that waits for its database."""

from typing import Any

import httpx
import pytest

from cronhook_server.pages import LIVE, Pages


def asking(pages: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url="http://daemon")


@pytest.mark.parametrize(("method", "body"), [("GET", b'{"status":"ok","checks":[]}'), ("HEAD", b"")])
async def test_a_page_is_asked_for(method: str, body: bytes) -> None:
    async with asking(Pages({"/livez": LIVE})) as http:
        answered = await http.request(method, "/livez")
    assert (answered.status_code, answered.content) == (200, body)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_and_nothing_else_done_with_it(method: str) -> None:
    async with asking(Pages({"/livez": LIVE}, otherwise="unavailable")) as http:
        refused, elsewhere = await http.request(method, "/livez"), await http.request(method, "/v1/jobs")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert refused.json()["code"] == "method_not_allowed"
    assert elsewhere.status_code == 503
