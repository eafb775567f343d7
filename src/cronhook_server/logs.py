"""The log: JSON lines in daemons, readable in a terminal. User text is a field, never a message, and capped."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from cronhook_server.settings import LogFormat

MAX_FIELD_LENGTH = 500


def configure_logging(log_format: LogFormat | None, stream: TextIO = sys.stderr) -> None:
    """Send our own events and those of libraries (warnings and worse) to ``stream``.

    ``log_format`` None: for people where the stream is a terminal, JSON otherwise. Tracebacks never show local
    variables: these hold secrets.
    """
    for_people = stream.isatty() if log_format is None else log_format is LogFormat.CONSOLE
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _cap_fields,
    ]
    renderers = _for_people(stream) if for_people else _for_programs()
    structlog.configure(
        processors=[*before, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *before],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _for_programs() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        _head_first,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def _for_people(stream: TextIO) -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
        )
    ]


def _cap_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MAX_FIELD_LENGTH:
            event[name] = f"{value[: MAX_FIELD_LENGTH - 1]}…"
    return event


def _head_first(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    head = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    return head | dict(event)
