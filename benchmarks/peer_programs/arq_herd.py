"""A herd of deferred jobs in arq on Redis: `arq_herd.py REDIS_URL TARGET_URL COUNT`.

Writes the due instant (seconds since the epoch) once all jobs are stored, then sends until it is ended.
"""

# mypy: ignore-errors

import sys
import time
from datetime import UTC, datetime

import aiohttp
import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

STORED_PER_SECOND = 500
LEAD_SECONDS = 5
AT_ONCE = 100


async def send(context: dict, url: str, number: int, due: str) -> None:
    headers = {"content-type": "application/json", "webhook-id": str(number), "cronhook-scheduled-for": due}
    async with context["session"].post(url, data=b'{"hello":"world"}', headers=headers) as response:
        await response.read()


async def open_session(context: dict) -> None:
    context["session"] = aiohttp.ClientSession()


async def main(redis_url: str, url: str, count: int) -> None:
    settings = RedisSettings.from_dsn(redis_url)
    pool = await create_pool(settings)
    due = datetime.fromtimestamp(int(time.time()) + count // STORED_PER_SECOND + LEAD_SECONDS, UTC)
    for number in range(count):
        await pool.enqueue_job("send", url, number, due.isoformat(), _defer_until=due)
    print(due.timestamp(), flush=True)
    await Worker([send], redis_settings=settings, on_startup=open_session, max_jobs=AT_ONCE).async_run()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
