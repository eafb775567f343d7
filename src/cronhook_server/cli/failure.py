"""How a command fails: with one readable line where the reason is known, with a traceback where it is our mistake."""

from __future__ import annotations

import sys

from cronhook_core.errors import ConfigurationError, CronhookError, InvalidRequest, MissingDependency

FAILED = 1
WRONG_USE = 2


def exit_code_of(error: Exception) -> int:
    """Tell the reason on stderr and return the exit code; raises ``error`` again where it is none of ours."""
    if not isinstance(error, CronhookError):
        raise error
    sys.stderr.write(f"cronhook: {' '.join(str(error).split())}\n")
    return WRONG_USE if isinstance(error, ConfigurationError | InvalidRequest | MissingDependency) else FAILED
