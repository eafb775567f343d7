"""How commands end, for scripts to tell apart."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The numbers are part of what users rely on: docs/reference/command_line.md lists them."""

    DONE = 0
    FAILED = 1
    """Something failed, or a check found something."""
    WRONG_USE = 2
    """A wrong command line, setting or input."""
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    """No API key, a wrong one, or one without the scope."""
    UNREACHABLE = 5
    """The server or the database does not answer, or asks to come back later: the same command may work in a while."""
    REFUSED = 6
    """The state of things does not allow it, such as resuming an inactive job or a quota that is used up."""
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    """What read the output went away, such as ``head``; shells give this code to others that end so."""
