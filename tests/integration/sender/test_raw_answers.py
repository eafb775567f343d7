"""Answers to the byte: what the status line says counts, however the bytes behind it come and whatever they are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.webhook import Outcome, WebhookResult
from tests.integration.sender.requests import post, timed

LONG_HEAD = b"X-A: " + b"y" * 3000 + b"\r\n"
LINES = b"a\r\n" * 4000
NOT_UNDERSTOOD = {
    "a length too short": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay, and more", 200, "ok"),
    "no content, and a body": (b"HTTP/1.1 204 No Content\r\n\r\nok", 204, ""),
    "no content, with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", 204, ""),
    "no content, in chunks": (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, ""),
    "a broken chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n", 200, ""),
    "gone": (b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\nokay", 410, "ok"),
    "line feeds only": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nokay", 200, "ok"),
    "after early hints": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay",
        200,
        "ok",
    ),
}
LARGE = {
    "a header of 9 kB": b"HTTP/1.1 200 OK\r\nX-A: " + b"y" * 9000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "120 headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: y\r\n" * 120 + b"Content-Length: 2\r\n\r\nok",
    "many lines behind a long head": b"HTTP/1.1 200 OK\r\n" + LONG_HEAD + b"Content-Length: 12000\r\n\r\n" + LINES,
    "many lines behind early hints and a long head": b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"
    + LONG_HEAD
    + b"Content-Length: 12000\r\n\r\n"
    + LINES,
    "many chunks behind a long head": b"HTTP/1.1 200 OK\r\n"
    + LONG_HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"1\r\na\r\n" * 1500
    + b"0\r\n\r\n",
}


@asynccontextmanager
async def answering(pieces: Sequence[bytes]) -> AsyncIterator[str]:
    """The URL of a receiver that answers with these bytes, in as many writes, and keeps the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            if writer.transport.is_closing():  # the sender has what it wanted
                return
            writer.write(piece)
            await asyncio.sleep(0.002)

    opened: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        for writer in opened:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def answered(sender: AiohttpSender, *pieces: bytes) -> WebhookResult:
    async with answering(pieces) as url:
        result, took = await timed(sender, post(url, seconds=10))
    assert took.between(0, 5)
    return result


@pytest.mark.parametrize("case", NOT_UNDERSTOOD)
async def test_what_is_not_understood_behind_a_head_takes_nothing_back(sender: AiohttpSender, case: str) -> None:
    answer, status, body = NOT_UNDERSTOOD[case]
    result = await answered(sender, answer)
    assert (result.response_status, result.response_body) == (status, body)
    assert result.outcome is (Outcome.SUCCEEDED if status < 300 else Outcome.HTTP_ERROR)


async def test_wherever_it_is_cut(sender: AiohttpSender) -> None:
    answer, status, body = NOT_UNDERSTOOD["after early hints"]
    for place in range(1, len(answer)):
        result = await answered(sender, answer[:place], answer[place:])
        assert (result.response_status, result.response_body) == (status, body), place


@pytest.mark.parametrize("case", LARGE)
async def test_large_answers_within_the_bounds(sender: AiohttpSender, case: str) -> None:
    result = await answered(sender, LARGE[case])
    assert (result.outcome, result.response_status) == (Outcome.SUCCEEDED, 200)
    assert result.response_body
