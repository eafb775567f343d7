"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from attrs import evolve

from cronhook_client._call import Call
from cronhook_client._sending import AsyncSend, Send
from cronhook_core.wire.v1 import LogPage, LogRow


class PageLike(Protocol):
    @property
    def data(self) -> Sequence[Any]: ...


class CursorPageLike(PageLike, Protocol):
    @property
    def next_cursor(self) -> str | None: ...


Item = TypeVar("Item")
Page = TypeVar("Page", bound=PageLike)
CursorPage = TypeVar("CursorPage", bound=CursorPageLike)


class Pages(Generic[Item, Page]):
    """All items of a list: iterating asks for one page after the other, as far as the items are wanted.

    Nothing is asked for before the first item is; every iteration begins anew.
    """

    def __init__(
        self, send: Send, first: Call[Page], following: Callable[[Call[Page], Page], Call[Page] | None]
    ) -> None:
        self._send = send
        self._first = first
        self._following = following

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.data

    def pages(self) -> Iterator[Page]:
        """The same, page by page. A list without items is one empty page."""
        call: Call[Page] | None = self._first
        while call is not None:
            page = self._send(call)
            yield page
            call = self._following(call, page)


class AsyncPages(Generic[Item, Page]):
    """All items of a list, for ``async for``; otherwise like `Pages`."""

    def __init__(
        self, send: AsyncSend, first: Call[Page], following: Callable[[Call[Page], Page], Call[Page] | None]
    ) -> None:
        self._send = send
        self._first = first
        self._following = following

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.data:
                yield item

    async def pages(self) -> AsyncIterator[Page]:
        """The same, page by page. A list without items is one empty page."""
        call: Call[Page] | None = self._first
        while call is not None:
            page = await self._send(call)
            yield page
            call = self._following(call, page)


class LogPages(Pages[LogRow, LogPage]):
    """The rows of a log, each once, also where new ones move the pages on meanwhile."""

    def __iter__(self) -> Iterator[LogRow]:
        seen: set[str] = set()
        for row in super().__iter__():
            if row.id not in seen:
                seen.add(row.id)
                yield row


class AsyncLogPages(AsyncPages[LogRow, LogPage]):
    """`LogPages`, for ``async for``."""

    async def __aiter__(self) -> AsyncIterator[LogRow]:
        seen: set[str] = set()
        async for row in super().__aiter__():
            if row.id not in seen:
                seen.add(row.id)
                yield row


def after_cursor(call: Call[CursorPage], page: CursorPage) -> Call[CursorPage] | None:
    """The call for the page after ``page``, which ``call`` was answered with; None after the last one."""
    return None if page.next_cursor is None else _asking(call, cursor=page.next_cursor)


def after_offset(call: Call[LogPage], page: LogPage) -> Call[LogPage] | None:
    return _asking(call, offset=str(page.offset + len(page.data))) if page.has_more and page.data else None


def _asking(call: Call[Page], **fields: str) -> Call[Page]:
    kept = tuple((name, value) for name, value in call.query if name not in fields)
    return evolve(call, query=(*kept, *fields.items()))
