"""How a command fails: with a readable reason where it is known, with a traceback where it is our mistake."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

import rich_click as click

from cronhook_core.errors import (
    ConfigurationError,
    Conflict,
    CronhookError,
    InvalidRequest,
    MissingDependency,
    NotFound,
    Unavailable,
)
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.setting_values import is_unicode

_OF_ERRORS: tuple[tuple[type[CronhookError], ExitCode], ...] = (
    (ConfigurationError, ExitCode.WRONG_USE),
    (InvalidRequest, ExitCode.WRONG_USE),
    (MissingDependency, ExitCode.WRONG_USE),
    (NotFound, ExitCode.NOT_FOUND),
    (Unavailable, ExitCode.UNREACHABLE),
    (Conflict, ExitCode.REFUSED),
)
_NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})


class PipeClosed(Exception):
    """Nobody reads the output any more."""


def exit_code_of(error: BaseException) -> int:
    """Tell the reason on stderr and return the exit code; raises ``error`` again where it is none of ours."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return ExitCode.INTERRUPTED
    if isinstance(error, PipeClosed | BrokenPipeError):
        stop_writing()
        return ExitCode.PIPE_CLOSED
    if isinstance(error, click.ClickException):
        return _of_click(error)
    if isinstance(error, OSError) and error.errno in _NOT_WRITTEN:
        stop_writing()
        complain(f"the output cannot be written: {error.strerror}")
        return ExitCode.FAILED
    if isinstance(error, UnicodeEncodeError) and not all(map(is_unicode, sys.argv)):
        complain("an argument is not UTF-8")  # a file's name may be anything, what is sent or stored may not
        return ExitCode.WRONG_USE
    if not isinstance(error, CronhookError):
        raise error
    return _of_cronhook(error)


def complain(reason: str, *more: str) -> None:
    """One line on stderr, and indented ones that say more. Nobody need read it."""
    lines = [f"cronhook: {' '.join(reason.split())}", *(f"  {line}" for line in more)]
    with suppress(OSError):
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()


def _of_click(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    more = () if context is None else (f"Try: {context.command_path} --help",)
    complain(error.format_message(), *more)
    return error.exit_code


def _of_cronhook(error: CronhookError) -> int:
    from cronhook_server.cli import api_failure

    if api_failure.is_of_api(error):
        return api_failure.told(error)
    complain(str(error))
    return next((code for kind, code in _OF_ERRORS if isinstance(error, kind)), ExitCode.FAILED)


def stop_writing() -> None:
    """Let stdout lead nowhere: what is still in its buffer would fail again when the process ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
