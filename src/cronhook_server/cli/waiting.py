"""Waiting for the end of an execution."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import rich_click as click

from cronhook_server.cli.arguments import DURATION
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.listing import tell_progress

if TYPE_CHECKING:
    from cronhook_client import Cronhook
    from cronhook_client.models import ExecutionDetail

_PAUSE = 0.25
_LONGEST_PAUSE = 2.0

wait_option = click.option(
    "--wait", is_flag=True, help="Wait for its end, retries included; exit code 1 unless it succeeded."
)
wait_for_option = click.option(
    "--wait-for", type=DURATION, help="Wait so long at most, such as 5m; exit code 5 when it has not ended by then."
)


class NotEnded(click.ClickException):
    exit_code = ExitCode.UNREACHABLE


def wait_for_end(client: Cronhook, execution_id: str, at_most: float | None) -> ExecutionDetail:
    """The execution when it has ended; raises `NotEnded` after ``at_most`` seconds (None: never)."""
    deadline = None if at_most is None else time.monotonic() + at_most
    pause = _PAUSE
    try:
        while not (execution := client.executions.get(execution_id)).status.is_final:
            tell_progress(f"{execution.status}, attempts so far: {execution.attempts} …")
            if deadline is not None and time.monotonic() + pause > deadline:
                raise NotEnded(f"{execution_id} is still {execution.status}; it goes on by itself")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
    finally:
        tell_progress("")
    return execution
