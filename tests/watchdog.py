"""Clean-up that outlives the test run: servers are ended and folders removed even after a kill -9.

The run holds the write end of a pipe to a small process of its own session. However the run ends, the kernel
closes that pipe, and the process ends and removes all that is still registered with it.
"""

import atexit
import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

QUIT_SECONDS = 5.0
POLL_SECONDS = 0.01


class Watchdog:
    """The run's side of the pipe. Starts the process when the first thing is registered."""

    def __init__(self) -> None:
        self.folders: list[Path] = []
        """All that were made."""
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def make_folder(self) -> Path:
        """A new folder with a path short enough for a Unix socket; removed at the latest when the run ends."""
        folder = Path(tempfile.mkdtemp(prefix="cronhook-", dir="/tmp"))
        self.folders.append(folder)
        self._say(f"folder {folder}")
        return folder

    def watch_process(self, pid: int) -> None:
        self._say(f"process {pid}")

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _say(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    start_new_session=True,
                )
                atexit.register(self.close)
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


WATCHDOG = Watchdog()


def gone(process: psutil.Process) -> bool:
    """A zombie is gone too: whoever should reap it may take its time."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end(processes: list[psutil.Process], how: signal.Signals, seconds: float) -> bool:
    """Whether all were gone in time."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)
    deadline = time.monotonic() + seconds
    while not all(map(gone, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _clean_up(processes: list[psutil.Process], folders: list[Path]) -> None:
    if not end(processes, signal.SIGQUIT, QUIT_SECONDS):
        end(processes, signal.SIGKILL, QUIT_SECONDS)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    processes: list[psutil.Process] = []
    folders: list[Path] = []
    for line in sys.stdin:
        kind, _, value = line.strip().partition(" ")
        if kind == "folder":
            folders.append(Path(value))
        else:
            with contextlib.suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(int(value)))
    _clean_up(processes, folders)


if __name__ == "__main__":
    main()
