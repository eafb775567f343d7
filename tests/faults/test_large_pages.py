"""Many who read pages of large jobs at once: the memory of the server stays bounded, and others are answered."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.acceptance.running import Up

MEBIBYTE = 1024 * 1024
JOBS = 150
PAYLOAD = "x" * (256 * 1024 - 2)
READERS = 32


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A server with `JOBS`, all of which a page of two hundred would show."""
    with Up(tmp_path_factory.mktemp("large"), max_jobs_per_workspace=JOBS, cpu_percent_per_key=100) as up:
        for _ in range(JOBS):
            up.create(cron="@yearly", callback_url="http://127.0.0.1:9/", payload=PAYLOAD)
        yield up


@pytest.mark.suite("faults")
@pytest.mark.parametrize("query", ["limit=200", "limit=200&include=payload"])
def test_pages_of_large_jobs_take_little_memory(up: Up, query: str) -> None:
    def read(_: int) -> int:
        with httpx.Client(timeout=60) as client:
            return client.get(f"{up.url}/v1/jobs?{query}", headers={"x-api-key": up.key or ""}).status_code

    before = up.peak_memory()
    with ThreadPoolExecutor(READERS) as readers:
        statuses = Counter(readers.map(read, range(READERS)))
    assert set(statuses) <= {200, 429}
    assert statuses[200] >= READERS // 4
    assert up.peak_memory() - before < 64 * MEBIBYTE
