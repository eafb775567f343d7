"""Which of the machine's clocks is read."""

import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import time
from cronhook_core.backends.clocks import SystemClock
runs_on = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
print(SystemClock().monotonic(), time.clock_gettime(runs_on))
"""
SUSPENDED = ["unshare", "--user", "--map-root-user", "--time", "--boottime", "5000"]
"""Runs a command in a namespace whose time since boot is ahead, as it is after a suspend."""


def test_the_time_that_the_machine_was_suspended_has_passed() -> None:
    """Where there are no such namespaces, the clocks show the same unless the machine was suspended."""
    can_be = shutil.which("unshare") and not subprocess.run([*SUSPENDED, "true"], capture_output=True).returncode
    command = [*(SUSPENDED if can_be else []), sys.executable, "-c", PROGRAM]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert float(shown[0]) == pytest.approx(float(shown[1]), abs=1.0)
