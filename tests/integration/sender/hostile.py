"""Receivers that do harm, in a process of their own so that their memory is not taken for the sender's.

`python -m tests.integration.sender.hostile` prints a JSON object of ports, one for each behaviour, and serves until its
standard input closes.
"""

import asyncio
import gzip
import json
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BLOCK = b"x" * 65536
BOMB = gzip.compress(bytes(30_000_000))


def behaviour(act: Behaviour) -> Behaviour:
    BEHAVIOURS[act.__name__] = act
    return act


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def send_for_ever(writer: asyncio.StreamWriter, data: bytes) -> None:
    while True:
        writer.write(data)
        await writer.drain()


async def drip(writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes] | Iterator[bytes]) -> None:
    for piece in pieces:  # type: ignore[union-attr]
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05)


async def stay(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)  # the loop holds on to a sleeper; a task that waits for nothing may be collected


def reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@behaviour
async def ten_gigabytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    await send_for_ever(writer, BLOCK)


@behaviour
async def ten_gigabytes_of_error(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 10000000000\r\n\r\n")
    await send_for_ever(writer, BLOCK)


@behaviour
async def endless_body_without_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await send_for_ever(writer, BLOCK)


@behaviour
async def endless_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await send_for_ever(writer, b"10000\r\n" + BLOCK + b"\r\n")


@behaviour
async def endless_tiny_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await send_for_ever(writer, b"2\r\nab\r\n" * 9000)


@behaviour
async def body_drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    await drip(writer, iter([b"."] * 1000))


@behaviour
async def error_drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 1000\r\n\r\n")
    await drip(writer, iter([b"."] * 1000))


@behaviour
async def body_stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhel")
    await stay(writer)


@behaviour
async def headers_drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await drip(writer, (b"x-%d: y\r\n" % number for number in range(1000)))


@behaviour
async def status_line_drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await drip(writer, (bytes([byte]) for byte in b"HTTP/1.1 200 " + b"O" * 1000))


@behaviour
async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nx-endless: ")
    await send_for_ever(writer, BLOCK)


@behaviour
async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await send_for_ever(writer, b"x-header: value\r\n" * 100)


@behaviour
async def ten_thousand_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    headers = b"".join(b"x-header-%d: value\r\n" % number for number in range(10_000))
    writer.write(b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: 2\r\n\r\nok")
    await stay(writer)


@behaviour
async def large_headers_then_silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (n, b"y" * 8000) for n in range(120)))
    await stay(writer)


@behaviour
async def endless_informational_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await send_for_ever(writer, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)


@behaviour
async def gzip_bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(BOMB), BOMB))
    await stay(writer)


@behaviour
async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await stay(writer)


@behaviour
async def never_reads(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await stay(writer)


@behaviour
async def answers_without_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(OK)
    await stay(writer)


@behaviour
async def closes_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@behaviour
async def resets_before_reading(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


@behaviour
async def resets_after_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    reset(writer)


@behaviour
async def closes_within_the_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")


@behaviour
async def closes_within_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")


@behaviour
async def closes_within_the_body_of_an_error(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")


@behaviour
async def chunks_are_malformed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n")
    await stay(writer)


@behaviour
async def chunks_become_malformed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n")
    await asyncio.sleep(0.05)
    writer.write(b"not a number\r\n")
    await stay(writer)


@behaviour
async def half_closes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await stay(writer)


@behaviour
async def half_closes_after_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write_eof()
    await stay(writer)


@behaviour
async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"\x00\xff\xfe garbage\r\n\r\n" * 10)
    await stay(writer)


@behaviour
async def endless_garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send_for_ever(writer, b"\xff" * 65536)


@behaviour
async def speaks_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    await stay(writer)


@behaviour
async def answers_before_it_is_asked(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await send_for_ever(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


@behaviour
async def two_lengths(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok")
    await stay(writer)


@behaviour
async def switches_protocols(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    await send_for_ever(writer, BLOCK)


@behaviour
async def redirects_to_metadata(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n"
    )


@behaviour
async def text_that_no_database_takes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    body = b"a\x00b\xff\xed\xa0\x80c"
    writer.write(
        b"HTTP/1.1 500 Oops\r\nServer: \xff\xfe\xc3\xa9\r\nContent-Type: text/\xff\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
    )


@behaviour
async def floods_when_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(OK)
    await writer.drain()
    await send_for_ever(writer, OK * 1000)


async def serve() -> None:
    ports = {}
    for name, act in BEHAVIOURS.items():
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        if act in (never_reads, answers_without_reading):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # lest the kernel takes it all
        await asyncio.start_server(_guarded(act), sock=listening)
        ports[name] = listening.getsockname()[1]
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _guarded(act: Behaviour) -> Behaviour:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await act(reader, writer)
        writer.close()

    return one


@contextmanager
def hostile_process() -> Iterator[dict[str, int]]:
    """The port of each behaviour, served by a process that ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.sender.hostile"],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    asyncio.run(serve())
