"""How late this machine is, which others use as well."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STEP = 0.01


@contextmanager
def machine_delay() -> Iterator[Callable[[], float]]:
    """Tells by how many seconds at most the machine has been late in waking a thread within the block."""
    greatest, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal greatest
        while not over.is_set():
            started = time.monotonic()
            over.wait(STEP)
            greatest = max(greatest, time.monotonic() - started - STEP)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: greatest
    finally:
        over.set()
        thread.join()
