"""The command line. Each command is imported when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec


def main() -> None:
    """Exit codes: see `cronhook_server.cli.exit_codes`."""
    sys.exit(run_command(None))


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
