"""Lists that look through all jobs of a workspace, and what else wants a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cronhook_core.backends.sql.job_catalog import SEARCHES_AT_ONCE, SqlJobCatalog
from cronhook_core.errors import StoreBusy
from cronhook_core.ports.job_catalog import JobFilter


class SlowDatabase:
    """Reads that end when they are told to."""

    def __init__(self) -> None:
        self.reading: list[JobFilter] = []
        self.answer = asyncio.Event()

    async def read(self, work: Callable[..., Any], workspace_id: str, matching: JobFilter, *rest: Any) -> list[Any]:
        self.reading.append(matching)
        await self.answer.wait()
        return []

    async def write(self, work: Callable[..., Any], *rest: Any) -> None:
        raise AssertionError("nothing is written")


async def test_searches_leave_connections_for_all_else() -> None:
    database = SlowDatabase()
    catalog = SqlJobCatalog(database)
    plain = JobFilter()
    asked = [JobFilter(text="a"), JobFilter(tag="b"), JobFilter(text="c"), JobFilter(tag="d"), plain]
    lists = [asyncio.create_task(catalog.list_jobs("wsp_1", matching, limit=10)) for matching in asked]
    await asyncio.sleep(0)
    assert database.reading == [*asked[:SEARCHES_AT_ONCE], plain]
    database.answer.set()
    assert await asyncio.gather(*lists) == [[]] * 5
    assert len(database.reading) == 5


async def test_a_search_waits_for_others_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cronhook_core.backends.sql.job_catalog.SEARCH_BEGINS_WITHIN", 0.01)
    database = SlowDatabase()
    catalog = SqlJobCatalog(database)
    search = JobFilter(text="a")
    held = [asyncio.create_task(catalog.list_jobs("wsp_1", search, limit=10)) for _ in range(SEARCHES_AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy, match="other searches"):
        await catalog.list_jobs("wsp_1", search, limit=10)
    database.answer.set()
    await asyncio.gather(*held)
    assert await catalog.list_jobs("wsp_1", search, limit=10) == []
