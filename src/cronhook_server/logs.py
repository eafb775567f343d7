"""The log: JSON lines in daemons, readable in a terminal. User text is a field, never a message, and capped."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO
from json import JSONEncoder
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from cronhook_core.domain.addresses import AllowedTargets, DeniedTargets
from cronhook_server.printable import printable
from cronhook_server.settings import LogFormat

MAX_FIELD_LENGTH = 500
_LEVELS = {"warn": "warning", "exception": "error"}
_fast = msgspec.json.Encoder(enc_hook=str)
_thorough = JSONEncoder(ensure_ascii=False, default=str)


def configure_logging(
    log_format: LogFormat | None, stream: TextIO = sys.stderr, *, lines_together: bool = False
) -> None:
    """Send our own events and those of libraries (warnings and worse) to ``stream``.

    ``lines_together`` is for processes that write a line for each request (see `TurnLogger`).
    ``log_format`` None: for people where the stream is a terminal, JSON otherwise. Tracebacks never show local
    variables: these hold secrets. Where many lines are written, a logger that was bound once (`bind`) is kept.
    """
    for_people = stream.isatty() if log_format is None else log_format is LogFormat.CONSOLE
    stream = cast("TextIO", LossyStream(stream))
    before: list[Processor] = [structlog.contextvars.merge_contextvars, _head_first]
    renderers = _for_people(stream) if for_people else _for_programs()
    structlog.configure(
        processors=[*before, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=TurnLogger.factory(stream) if lines_together else structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *before],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class LossyStream:
    """Writes to ``stream``, and lets go what cannot be written: whoever tells something goes on with its work.

    The reader of a pipe may have ended, or the disk be full: that must stop no webhook, nor hinder an orderly end.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


class TurnLogger:
    """Writes what is only told, and no warning, once a turn of the event loop: many lines in one system call.

    A warning, an error, and whatever is told outside an event loop is written at once, after what came before.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []

    @classmethod
    def factory(cls, stream: TextIO) -> Callable[..., TurnLogger]:
        logger = cls(stream)
        return lambda *_: logger

    def info(self, line: str) -> None:
        self._lines.append(f"{line}\n")
        if len(self._lines) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self._write)
        except RuntimeError:
            self._write()

    def warning(self, line: str) -> None:
        self._lines.append(f"{line}\n")
        self._write()

    debug = info
    warn = error = exception = critical = fatal = msg = warning

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()


def log_at_start(
    log: FilteringBoundLogger,
    warnings: Sequence[str],
    *,
    allowed: AllowedTargets,
    denied: DeniedTargets,
) -> None:
    """What the operator should know of the backends, and which targets the settings open and deny."""
    for warning in warnings:
        log.warning("attention", reason=warning)
    if allowed:
        log.info("targets_opened", targets=str(allowed))
    if denied:
        log.info("targets_denied", targets=str(denied))


def _for_programs() -> list[Processor]:
    return [structlog.processors.format_exc_info, _render_json]


def _for_people(stream: TextIO) -> list[Processor]:
    return [
        _cap_fields,
        _escape_fields,
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_traceback, pad_event_to=24),
    ]


def _head_first(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """When, how bad and what come first; the rest follows in the order in which it was given."""
    line: EventDict = {
        "timestamp": _timestamp(),
        "level": _LEVELS.get(method, method),
        "event": event.pop("event", ""),
    }
    line.update(event)
    return line


def _timestamp() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    """Lines of one second begin alike."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _cap_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """All but tracebacks: these are our own text."""
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MAX_FIELD_LENGTH and name != "exception":
            event[name] = f"{value[: MAX_FIELD_LENGTH - 1]}…"
    return event


def _escape_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """What a terminal would obey, such as colours, titles and writing from right to left, is shown and not done."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable() and name != "exception":
            event[name] = printable(value, kept="\n\t" if name == "event" else "")  # of libraries, in several lines
    return event


def _traceback(stream: TextIO, exc_info: Any) -> None:
    written = StringIO()
    structlog.dev.plain_traceback(written, exc_info)
    stream.write(printable(written.getvalue(), kept="\n\t"))


def _render_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    line = _json_of(event)
    return line if len(line) <= MAX_FIELD_LENGTH else _json_of(_cap_fields(logger, method, event))


def _json_of(event: EventDict) -> str:
    try:
        return _fast.encode(event).decode()
    except (TypeError, ValueError, OverflowError):  # half a surrogate pair, a number of more than 64 bits
        return _thorough.encode(event)
