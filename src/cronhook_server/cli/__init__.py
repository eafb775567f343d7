"""The command line. Each command is imported when it runs."""

from __future__ import annotations

import sys


def main() -> None:
    """Exit codes: 0 done, 1 failed, 2 a wrong command line or setting."""
    from cronhook_server.cli.group import cli

    try:
        cli.main(prog_name="cronhook")
    except Exception as error:  # noqa: BLE001 - what is none of our errors is raised again
        from cronhook_server.cli.failure import exit_code_of

        sys.exit(exit_code_of(error))
