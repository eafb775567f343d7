"""The command line. Each command is imported when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from io import TextIOWrapper


def main() -> None:
    """Exit codes: see `cronhook_server.cli.exit_codes`."""
    _open_what_is_closed()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not have every sign that we write
    code = run_command(None)
    _let_go_of_what_nobody_reads()
    sys.exit(code)


def _let_go_of_what_nobody_reads() -> None:
    """What is in the buffer of a closed stderr would fail once more at the very end, and change the exit code."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _open_what_is_closed() -> None:
    """Where the shell closed a standard stream (``<&-``), the next file or socket would take its number.

    A message would then be written into a connection, and uvloop ends the process when it closes such a one.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def run_command(arguments: Sequence[str] | None) -> int:
    """Run one command to its end; None: that of the process' arguments. The exit code."""
    if find_spec("rich_click") is None:
        sys.stderr.write("cronhook: the command line is not installed: pip install 'cronhook[server]'\n")
        return 2
    try:
        from cronhook_server.cli.group import cli

        ended = cli.main(arguments, prog_name="cronhook", standalone_mode=False)
        sys.stdout.flush()
        return ended if isinstance(ended, int) else 0
    except BaseException as error:  # noqa: BLE001 - what is none of ours is raised again
        from cronhook_server.cli.failure import exit_code_of

        return exit_code_of(error)
