"""What a receiver sends is counted and dealt out before it is parsed."""

import asyncio

import pytest
from aiohttp import EMPTY_PAYLOAD

from cronhook_core.backends.http.exchange import Exchange
from cronhook_core.backends.http.response_meter import (
    HEAD_BYTES_PER_TURN,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_LINES,
    ResponseMeter,
)


class Parser(asyncio.Protocol):
    """Writes down what it gets."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.events: list[object] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self.events.append("data")

    def eof_received(self) -> None:
        self.events.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(exc)

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


class Wire(asyncio.Transport):
    def __init__(self, unsent: int = 0) -> None:
        super().__init__()
        self.aborted = False
        self.unsent = unsent

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Line:
    def __init__(self, unsent: int = 0) -> None:
        self.parser = Parser()
        self.wire = Wire(unsent)
        self.meter = ResponseMeter(self.parser, self.wire, retires_at=0.0)
        self.exchange = Exchange()
        self.exchange.meter = self.meter
        self.meter.expect_answer()

    @property
    def parsed(self) -> bytes:
        return b"".join(self.parser.pieces)


async def turns(number: int = 100) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_small_answers_go_straight_through() -> None:
    line = Line()
    line.meter.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    assert line.parsed == b"HTTP/1.1 200 OK\r\n\r\n"
    assert not line.wire.aborted


async def test_large_heads_are_dealt_out_turn_by_turn() -> None:
    line = Line()
    head = bytes(range(256)) * 40
    line.meter.data_received(head)
    assert line.parsed == head[:HEAD_BYTES_PER_TURN]
    line.meter.data_received(b"more")
    assert not line.meter.is_quiet
    await turns()
    assert line.parsed == head + b"more"
    assert line.meter.is_quiet
    assert max(map(len, line.parser.pieces)) == HEAD_BYTES_PER_TURN


async def test_bodies_are_not_dealt_out() -> None:
    line = Line()
    line.meter.expect_body(EMPTY_PAYLOAD)
    line.meter.data_received(b"x" * 20_000)
    assert line.parser.pieces == [b"x" * 20_000]


@pytest.mark.parametrize(("in_body", "bound"), [(False, MAX_HEAD_BYTES), (True, MAX_BODY_BYTES)])
async def test_what_goes_beyond_the_bound_is_cut_off(in_body: bool, bound: int) -> None:
    line = Line()
    if in_body:
        line.meter.expect_body(EMPTY_PAYLOAD)
    line.meter.data_received(b"x" * (bound - 10))
    await turns()
    assert not line.wire.aborted
    line.meter.data_received(b"y" * 11)
    await turns()
    assert line.parsed == b"x" * (bound - 10) + b"y" * 10
    assert line.wire.aborted
    assert line.meter.exceeded
    line.meter.data_received(b"z")
    await turns()
    assert b"z" not in line.parsed


ANSWER = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


@pytest.mark.parametrize("place", range(1, len(ANSWER)))
async def test_a_head_is_handed_on_by_itself_wherever_it_was_cut(place: int) -> None:
    line = Line()
    line.meter.data_received(ANSWER[:place])
    line.meter.data_received(ANSWER[place:] + b"ok\n\nand more")
    assert line.parsed == ANSWER + b"ok\n\nand more"
    assert line.parser.pieces[-1] == b"ok\n\nand more"


async def test_lines_are_bounded_apart_from_bytes() -> None:
    line = Line()
    line.meter.expect_body(EMPTY_PAYLOAD)
    line.meter.data_received(b"1\r\n" * MAX_LINES)
    assert not line.wire.aborted
    line.meter.data_received(b"1\r\n")
    assert line.wire.aborted


async def test_the_end_of_a_connection_waits_for_what_came_before() -> None:
    line = Line()
    error = ConnectionResetError()
    line.meter.data_received(b"x" * (2 * HEAD_BYTES_PER_TURN + 1))
    line.meter.eof_received()
    line.meter.connection_lost(error)
    assert line.parser.events == ["data"]
    await turns()
    assert line.parser.events == ["data", "data", "data", "eof", error]


async def test_a_lost_connection_is_told_where_what_came_before_is_dropped() -> None:
    """Else whoever closes the pool waits for it for ever, and the call for its deadline."""
    line = Line()
    line.meter.data_received(b"HTTP/1.1 200 OK\r\n" + b"x" * 3 * HEAD_BYTES_PER_TURN)
    error = OSError("reset")
    line.meter.connection_lost(error)
    line.meter.abort()
    line.meter.abort()
    await asyncio.sleep(0)
    assert line.parser.events == ["data", error]


async def test_everything_else_is_passed_on() -> None:
    line = Line()
    line.meter.pause_writing()
    line.meter.resume_writing()
    line.meter.eof_received()
    line.meter.connection_lost(None)
    assert line.parser.events == ["pause", "resume", "eof", None]


async def test_an_idle_connection_may_not_say_a_byte() -> None:
    line = Line()
    line.meter.data_received(b"answer")
    line.exchange.finish(reusable=True)
    assert not line.wire.aborted
    line.meter.data_received(b"x")
    assert line.wire.aborted
    assert line.parsed == b"answer"
    assert not line.meter.is_quiet


@pytest.mark.parametrize("fault", ["not reusable", "unsent", "closing", "more than the answer"])
async def test_what_cannot_be_used_again_is_dropped_at_once(fault: str) -> None:
    line = Line(unsent=1 if fault == "unsent" else 0)
    if fault == "more than the answer":
        line.meter.data_received(b"x" * (HEAD_BYTES_PER_TURN + 1))
    if fault == "closing":
        line.wire.aborted = True
    line.exchange.finish(reusable=fault != "not reusable")
    assert line.wire.aborted
    await turns()
    assert len(line.parser.pieces) <= 1
