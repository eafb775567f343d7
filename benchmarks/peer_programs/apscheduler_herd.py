"""A herd of one-time jobs in APScheduler 3 on Postgres: `apscheduler_herd.py DATABASE_URL TARGET_URL COUNT`.

Writes the due instant (seconds since the epoch) once all jobs are stored, then sends until it is ended.
"""

# mypy: ignore-errors

import asyncio
import sys
import time
from datetime import UTC, datetime

import aiohttp
import uvloop
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

STORED_PER_SECOND = 300
LEAD_SECONDS = 5
_session: aiohttp.ClientSession | None = None


async def send(url: str, number: int, due: str) -> None:
    headers = {"content-type": "application/json", "webhook-id": str(number), "cronhook-scheduled-for": due}
    async with _session.post(url, data=b'{"hello":"world"}', headers=headers) as response:
        await response.read()


async def main(database: str, url: str, count: int) -> None:
    global _session
    scheduler = AsyncIOScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=database)},
        executors={"default": AsyncIOExecutor()},
        job_defaults={"misfire_grace_time": None},
        timezone=UTC,
    )
    async with aiohttp.ClientSession() as _session:
        scheduler.start(paused=True)
        due = datetime.fromtimestamp(int(time.time()) + count // STORED_PER_SECOND + LEAD_SECONDS, UTC)
        for number in range(count):
            scheduler.add_job(send, "date", run_date=due, args=[url, number, due.isoformat()])
        scheduler.resume()
        print(due.timestamp(), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
