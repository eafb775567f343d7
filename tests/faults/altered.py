"""The command line of cronhook on a machine that is set up otherwise: another name server, a clock that is wrong.

``python -m tests.faults.altered --nameserver 127.0.0.1:5353 --clock-ahead 3600 worker``. Nothing of it can be reached
from the installed command, nor by any setting.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.http import sender
from cronhook_core.backends.http.resolver import AiodnsResolver

_START = (
    f"import runpy, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); sys.argv[0] = 'cronhook'; "
    "runpy.run_module('tests.faults.altered', run_name='__main__')"
)


def command(*, nameserver: str | None = None, clock_ahead: timedelta | None = None) -> Sequence[str]:
    """What starts cronhook so, wherever it is started."""
    options = [] if nameserver is None else ["--nameserver", nameserver]
    options += [] if clock_ahead is None else [f"--clock-ahead={clock_ahead.total_seconds()}"]
    return (sys.executable, "-c", _START, *options)


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--nameserver")
    parser.add_argument("--clock-ahead", type=float)
    options, rest = parser.parse_known_args()
    if options.nameserver is not None:
        vars(sender)["AiodnsResolver"] = partial(AiodnsResolver, [options.nameserver])
    if options.clock_ahead is not None:
        by = timedelta(seconds=options.clock_ahead)
        SystemClock.now = lambda self: datetime.now(UTC) + by  # type: ignore[method-assign]
    sys.argv = ["cronhook", *rest]
    from cronhook_server.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
