"""Lists: page by page, and item by item over all pages."""

import copy
import pickle
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cronhook_client import AsyncCronhook, Cronhook, NotFound
from cronhook_client.exchange import HttpRequest
from cronhook_client.models import NOT_INCLUDED
from cronhook_core.wire.converter import to_json
from tests.unit.client.bodies import EXECUTION, JOB, LOG_ROW, log_page_of, page_of
from tests.unit.client.scripted_transport import AsyncScriptedTransport, Outcome, ScriptedTransport, answer, problem


def jobs(*ids: str, next_cursor: str | None = None) -> Outcome:
    return answer(200, page_of(*(JOB | {"id": i} for i in ids), next_cursor=next_cursor))


def rows(*ids: str, total: int, offset: int = 0) -> Outcome:
    return answer(200, log_page_of(*(LOG_ROW | {"id": i} for i in ids), total=total, offset=offset))


def queries(requests: list[HttpRequest]) -> list[dict[str, list[str]]]:
    return [parse_qs(urlsplit(request.url).query) for request in requests]


THREE_PAGES = (jobs("c", "b", next_cursor="after b"), jobs(next_cursor="after nothing"), jobs("a"))


async def test_iterating_goes_over_all_pages() -> None:
    transport, async_transport = ScriptedTransport(*THREE_PAGES), AsyncScriptedTransport(*THREE_PAGES)
    found = [job.id for job in Cronhook("k", transport=transport).jobs.list(tag="t", limit=2)]
    async_found = [job.id async for job in AsyncCronhook("k", transport=async_transport).jobs.list(tag="t", limit=2)]
    assert found == async_found == ["c", "b", "a"]
    expected = [
        {"tag": ["t"], "limit": ["2"]},
        {"tag": ["t"], "limit": ["2"], "cursor": ["after b"]},
        {"tag": ["t"], "limit": ["2"], "cursor": ["after nothing"]},
    ]
    assert queries(transport.requests) == queries(async_transport.requests) == expected


async def test_page_by_page() -> None:
    client = Cronhook("k", transport=ScriptedTransport(*THREE_PAGES))
    async_client = AsyncCronhook("k", transport=AsyncScriptedTransport(*THREE_PAGES))
    pages = list(client.jobs.list().pages())
    assert [len(page.data) for page in pages] == [2, 0, 1]
    assert [page.next_cursor for page in pages] == ["after b", "after nothing", None]
    assert pages == [page async for page in async_client.jobs.list().pages()]


async def test_only_what_is_wanted_is_asked_for() -> None:
    transport, async_transport = ScriptedTransport(*THREE_PAGES), AsyncScriptedTransport(*THREE_PAGES)
    listed = Cronhook("k", transport=transport).jobs.list()
    async_listed = AsyncCronhook("k", transport=async_transport).jobs.list()
    assert transport.requests == async_transport.requests == []
    assert next(iter(listed)).id == "c"
    assert (await anext(aiter(async_listed))).id == "c"
    assert len(transport.requests) == len(async_transport.requests) == 1


def test_every_iteration_begins_anew() -> None:
    listed = Cronhook("k", transport=ScriptedTransport(jobs("a"))).jobs.list()
    assert [job.id for job in listed] == [job.id for job in listed] == ["a"]


def test_an_empty_list_is_one_empty_page() -> None:
    client = Cronhook("k", transport=ScriptedTransport(jobs()))
    assert list(client.jobs.list()) == []
    assert len(list(client.jobs.list().pages())) == 1


def test_an_error_comes_where_its_page_would() -> None:
    transport = ScriptedTransport(jobs("a", next_cursor="x"), problem(404, "not_found"))
    listed = iter(Cronhook("k", transport=transport).jobs.list())
    assert next(listed).id == "a"
    with pytest.raises(NotFound):
        next(listed)


async def test_executions_go_by_cursor() -> None:
    first, second = page_of(EXECUTION, next_cursor="n"), page_of(EXECUTION | {"id": "exe_0"})
    transport = ScriptedTransport(answer(200, first), answer(200, second))
    async_transport = AsyncScriptedTransport(answer(200, first), answer(200, second))
    found = [e.id for e in Cronhook("k", transport=transport).executions.list("job_1", status="queued")]
    client = AsyncCronhook("k", transport=async_transport)
    assert found == [e.id async for e in client.executions.list("job_1", status="queued")] == ["exe_1", "exe_0"]
    assert queries(transport.requests)[1] == {"status": ["queued"], "cursor": ["n"]}


class TestLogs:
    PAGES = (rows("d", "c", total=4), rows("b", "a", total=4, offset=2))

    async def test_rows_go_by_offset(self) -> None:
        transport, async_transport = ScriptedTransport(*self.PAGES), AsyncScriptedTransport(*self.PAGES)
        found = [row.id for row in Cronhook("k", transport=transport).logs.list("job_1", limit=2)]
        async_client = AsyncCronhook("k", transport=async_transport)
        assert found == [row.id async for row in async_client.logs.list("job_1", limit=2)] == ["d", "c", "b", "a"]
        assert queries(transport.requests)[1] == {"limit": ["2"], "offset": ["2"]}

    async def test_new_rows_double_none(self) -> None:
        """Two rows came between the first page and the second one, and moved it by two."""
        pages: tuple[Any, ...] = (rows("d", "c", total=4), rows("d", "c", total=6, offset=2))
        pages = (*pages, rows("b", "a", total=6, offset=4))
        client, async_client = (
            Cronhook("k", transport=ScriptedTransport(*pages)),
            AsyncCronhook("k", transport=AsyncScriptedTransport(*pages)),
        )
        assert [row.id for row in client.logs.list("job_1")] == ["d", "c", "b", "a"]
        assert [row.id async for row in async_client.logs.list("job_1")] == ["d", "c", "b", "a"]

    def test_a_log_of_so_many_rows_that_they_are_not_counted_goes_on(self) -> None:
        first = answer(200, log_page_of(LOG_ROW | {"id": "d"}, total=2) | {"total": None})
        client = Cronhook("k", transport=ScriptedTransport(first, rows("c", total=2, offset=1)))
        assert [(page.total, len(page.data)) for page in client.logs.list("job_1").pages()] == [(None, 1), (2, 1)]

    def test_a_log_that_was_pruned_meanwhile_ends(self) -> None:
        pages = (rows("d", "c", total=4), rows(total=3, offset=2))
        client = Cronhook("k", transport=ScriptedTransport(*pages))
        assert [row.id for row in client.logs.list("job_1")] == ["d", "c"]


def test_a_payload_that_was_not_included_cannot_be_written_back() -> None:
    without = {name: value for name, value in JOB.items() if name != "payload"}
    client = Cronhook("k", transport=ScriptedTransport(answer(200, page_of(without))))
    [job] = client.jobs.list()
    assert job.payload is NOT_INCLUDED
    assert not job.payload
    assert "payload=NOT_INCLUDED" in repr(job)
    assert to_json(job) == without
    assert copy.deepcopy(job) == pickle.loads(pickle.dumps(job)) == job
    with pytest.raises(TypeError):
        client.jobs.create(name="again", callback_url=job.callback_url, cron=job.cron, payload=job.payload)
