"""A valid key that asks for the most expensive things: webhooks of other workspaces stay on time."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import cycle
from pathlib import Path
from statistics import quantiles

import pytest

from cronhook_core.domain.time_zone import zone_names
from tests.acceptance.running import Up, ahead, run
from tests.machine import machine_delay
from tests.receiver import Receiver

CONNECTIONS = 4
WEBHOOKS = 60
APART_SECONDS = 0.05

UNKNOWN_FIELDS = [f'"k{n}":0' for n in range(80_000)]
NO_TEXTS = [r'"\u0000"'] * 95_000
NESTED = ["[" * 27 + "]" * 27] * 19_000
SMALL, LARGE = 16_000, 1_040_000
"""Bytes: what a preview accepts, and what any route accepted once."""


def _body(items: list[str], brackets: str, size: int) -> bytes:
    written = ",".join(items)[: size - 2].rpartition(",")[0]
    return f"{brackets[0]}{written}{brackets[1]}".encode()


REFUSED = [
    _body(items, brackets, size)
    for size in (LARGE, SMALL)
    for items, brackets in ((UNKNOWN_FIELDS, "{}"), (NO_TEXTS, "[]"), (NESTED, "[]"))
]


def _rare_lines() -> Iterator[bytes]:
    """Instants up to 28 years apart, in a zone whose clock was not looked at yet."""
    for zone in cycle(sorted(zone_names())):
        line = {"cron": "*/59 23 29 2 */7", "timezone": zone, "after": "2031-01-01T00:00:00Z", "count": 100}
        yield json.dumps(line).encode()


@contextmanager
def asking(up: Up, key: str, bodies: Callable[[], Iterator[bytes]]) -> Iterator[None]:
    """`CONNECTIONS` that ask for previews, one after the other as fast as they are answered."""
    over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=30)
        headers = {"x-api-key": key, "content-type": "application/json"}
        for body in bodies():
            if over.is_set():
                break
            try:
                connection.request("POST", "/v1/schedules/preview", body=body, headers=headers)
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):  # it was not read to its end
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.suite("faults")
@pytest.mark.parametrize(
    "bodies",
    [lambda: cycle(REFUSED), _rare_lines],
    ids=["bodies that are refused", "lines that fire once in decades"],
)
def test_a_greedy_read_key_makes_no_webhook_of_others_late(
    tmp_path: Path, receiver: Receiver, bodies: Callable[[], Iterator[bytes]]
) -> None:
    with machine_delay() as delay, Up(tmp_path) as up:
        made = run("keys", "create", "--workspace", "greedy", "--scopes", "read", "-o", "json", folder=tmp_path)
        key = json.loads(made.stdout)["key"]
        with asking(up, key, bodies):
            due = [_stored(up, receiver, number) for number in range(WEBHOOKS)]
            receiver.wait_for(WEBHOOKS, 60)
        late = sorted(_lateness(receiver, due))
    percentiles = quantiles(late, n=100, method="inclusive")
    assert percentiles[49] <= 0.05 + delay(), late
    assert percentiles[98] <= 0.5 + delay(), late


def _stored(up: Up, receiver: Receiver, number: int) -> datetime:
    """When the webhook is due."""
    time.sleep(APART_SECONDS)
    run_at = ahead(seconds=2)
    up.create(run_at=run_at, callback_url=receiver.url(f"/{number}"))
    return run_at


def _lateness(receiver: Receiver, due: list[datetime]) -> Iterator[float]:
    for arrival in receiver.arrivals:
        yield (arrival.at - due[int(arrival.path[1:])]).total_seconds()
