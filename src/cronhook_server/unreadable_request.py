"""What is no HTTP is answered as everything else is: as a problem, under an id."""

from __future__ import annotations

from typing import Any

from h11 import RemoteProtocolError
from h11._receivebuffer import ReceiveBuffer
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from cronhook_core.wire.converter import to_json
from cronhook_core.wire.problem import problem
from cronhook_core.wire.strict_json import render_json
from cronhook_server.pages import PROBLEM
from cronhook_server.request_scope import EVERY_ANSWER, new_request_id

_DETAIL = "This is not a request of HTTP/1.1."


class _UnfoldedLines(ReceiveBuffer):
    """Refuses header lines that continue the line before: proxies disagree on their meaning (RFC 9112, section 5.2)."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        lines = super().maybe_extract_lines()
        if any(line.startswith((b" ", b"\t")) for line in lines or ()):
            raise RemoteProtocolError("a header line is folded")
        return lines


class UnreadableRequestProtocol(H11Protocol):
    """By h11, which bounds a request's head; httptools, which uvicorn prefers wherever it is installed, does not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn._receive_buffer = _UnfoldedLines()  # noqa: SLF001 - h11 unfolds lines and has no option against it

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """None before the first request of a connection."""
        return self.cycle

    def send_400_response(self, msg: str) -> None:
        """The last answer of a connection; none in the middle of another one. ``msg`` is uvicorn's, and not told."""
        if self._cycle is None or self._cycle.response_complete or not self._cycle.response_started:
            self.transport.write(_refusal())
        self.transport.close()


def _refusal() -> bytes:
    request_id = new_request_id()
    body = render_json(to_json(problem("invalid_request", _DETAIL, instance="", request_id=request_id)))
    headers = [
        (b"content-type", PROBLEM.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *EVERY_ANSWER,
        (b"connection", b"close"),
    ]
    return b"\r\n".join([b"HTTP/1.1 400 Bad Request", *(b": ".join(header) for header in headers), b"", body])
