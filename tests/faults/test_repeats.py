"""Equal requests that reach two API processes at once."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.faults.installation import Installation
from tests.services import free_port

pytestmark = pytest.mark.suite("faults")

REPEATS = 20
ROUNDS = 10
BODY = {"name": "once", "cron": "0 9 * * *", "callback_url": "http://127.0.0.1:9/"}


async def asked_at_once(urls: list[str], headers: dict[str, str]) -> set[tuple[int, bytes]]:
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        asked = [http.post(f"{urls[n % len(urls)]}/v1/jobs", json=BODY) for n in range(REPEATS)]
        return {(answer.status_code, answer.content) for answer in await asyncio.gather(*asked)}


async def test_two_processes_store_one_job_and_give_one_answer(installation: Installation) -> None:
    installation.open()
    another = free_port()
    installation.start("api", CRONHOOK_PORT=str(another))
    urls = [f"http://127.0.0.1:{port}" for port in (installation.port, another)]
    for n in range(ROUNDS):
        answers = await asked_at_once(urls, {"x-api-key": installation.key, "idempotency-key": f"order-{n}"})
        assert [status for status, _ in answers] == [201]
    ((stored,),) = installation.rows("SELECT count(*) FROM jobs")
    assert stored == ROUNDS
