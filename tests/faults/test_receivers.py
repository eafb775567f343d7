"""Receivers in every bad state there is: each has its own outcome, and costs a worker nothing but its slot."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults import altered
from tests.faults.installation import Installation, ahead
from tests.faults.name_server import NameServer
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.integration.sender.certificates import DAY, NOW, Authority, only_old_tls
from tests.integration.sender.hostile import hostile_process
from tests.receiver import Receiver
from tests.services import free_port

MOST_MEMORY = 250_000_000
OUTCOMES = "SELECT outcome FROM job_logs WHERE job_id = %s ORDER BY attempt_no"
HOSTILE = {
    "ten_gigabytes": "succeeded",
    "ten_gigabytes_of_error": "http_error",
    "endless_body_without_length": "succeeded",
    "body_drips": "succeeded",
    "body_stalls": "succeeded",
    "headers_drip": "timeout",
    "endless_header": "protocol_error",
    "endless_headers": "protocol_error",
    "gzip_bomb": "succeeded",
    "silent": "timeout",
    "resets_before_reading": "connect_error",
    "resets_after_reading": "connect_error",
    "closes_within_the_headers": "connect_error",
    "garbage": "protocol_error",
    "redirects_to_metadata": "http_error",
}
"""What each of these comes to; a 2xx whose headers are there is a success whatever follows."""
SCRIPTED = {
    "/status/410": ["http_error"],
    "/status/500": ["http_error", "http_error"],
    "/redirect/302": ["http_error", "http_error"],
    "/redirect/308": ["http_error", "http_error"],
    "/retry-after/429/1": ["http_error", "http_error"],
    "/retry-after/503/1": ["http_error", "http_error"],
    "/retry-after/429/0": ["http_error", "http_error"],
    "/retry-after/503/nonsense": ["http_error", "http_error"],
    "/retry-after/503/-5": ["http_error", "http_error"],
    "/retry-after/429/99999999999999999999": ["http_error"],
    "/retry-after/503/86400": ["http_error"],
}
WAITS_LONG = frozenset({"/retry-after/429/99999999999999999999", "/retry-after/503/86400"})
"""Those wait for a day, and no longer."""


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        server.keep_silent("silent.example")
        server.fail("failing.example")
        yield server


@pytest.fixture
def hostile() -> Iterator[dict[str, int]]:
    with hostile_process() as ports:
        yield ports


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secure(authority: Authority, tmp_path: Path) -> Iterator[dict[str, int]]:
    """Receivers of https://receiver.example with good and bad certificates, and the port of each."""
    name = "receiver.example"
    contexts = {
        "TLS": authority.server_context(name),
        "TLS, expired": authority.server_context(name, not_before=NOW - 2 * DAY, not_after=NOW - DAY / 2),
        "TLS, not valid yet": authority.server_context(name, not_before=NOW + DAY / 2),
        "TLS, of another name": authority.server_context("other.example"),
        "TLS, signed by itself": authority.server_context(name, self_signed=True),
        "TLS, signed by a stranger": Authority(tmp_path, "strangers").server_context(name),
        "TLS, too old": only_old_tls(authority.server_context(name)),
    }
    with ExitStack() as stack:
        yield {kind: stack.enter_context(Receiver(tls=context)).port for kind, context in contexts.items()}


def test_every_bad_receiver_has_its_own_outcome(
    installation: Installation,
    scripted_receiver: ScriptedReceiver,
    names: NameServer,
    hostile: dict[str, int],
    authority: Authority,
    secure: dict[str, int],
) -> None:
    names.answer("receiver.example", "127.0.0.1")
    installation.settings["SSL_CERT_FILE"] = str(authority.file)
    installation.settings["CRONHOOK_ALLOWED_TARGETS"] = "127.0.0.0/8"
    installation.open("scheduler")
    worker = installation.start("worker", command=altered.command(nameserver=f"127.0.0.1:{names.port}"))

    def job(url: str, retries: int = 0) -> str:
        made = installation.create(
            run_at=ahead(seconds=0.5), callback_url=url, timeout_seconds=3, retry_delays_seconds=[1] * retries
        )
        return str(made["id"])

    own = scripted_receiver
    urls = {
        "refused": (f"http://127.0.0.1:{free_port()}/", 0, ["connect_error"]),
        "no such name": ("http://no-such-name.example/", 0, ["dns_error"]),
        "silent name server": ("http://silent.example/", 0, ["dns_error"]),
        "failing name server": ("http://failing.example/", 0, ["dns_error"]),
        "a name": (f"http://receiver.example:{own.port}/ok", 0, ["succeeded"]),
        "TLS with one who speaks none": (f"https://127.0.0.1:{hostile['speaks_first']}/", 0, ["tls_error"]),
        **{
            kind: (f"https://receiver.example:{port}/echo", 0, ["succeeded" if kind == "TLS" else "tls_error"])
            for kind, port in secure.items()
        },
        "silence": (own.url("/silent"), 0, ["timeout"]),
        "drip": (own.url("/drip/0.05"), 0, ["succeeded"]),
        **{name: (f"http://127.0.0.1:{hostile[name]}/", 0, [outcome]) for name, outcome in HOSTILE.items()},
        **{path: (own.url(path), 1, outcomes) for path, outcomes in SCRIPTED.items()},
    }
    jobs = {job(url, retries): name for name, (url, retries, _) in urls.items()}
    expected = {name: outcomes for name, (_, _, outcomes) in urls.items()}
    waiting = len(WAITS_LONG)
    installation.wait_for_rows(
        "SELECT 1 FROM job_logs HAVING count(outcome) = %s", sum(map(len, expected.values())), seconds=120
    )
    found = {name: [outcome for (outcome,) in installation.rows(OUTCOMES, job_id)] for job_id, name in jobs.items()}
    assert {name: found[name] for name in expected if found[name] != expected[name]} == {}
    delays = installation.rows("SELECT available_at - now() FROM executions WHERE status = 'queued'")
    assert [timedelta(hours=23) < delay <= timedelta(hours=24) for (delay,) in delays] == [True] * waiting
    assert worker.resident_bytes() < MOST_MEMORY
    assert "Traceback" not in worker.log()
    assert worker.events("pass_failed") == []


@pytest.mark.suite("faults")
def test_a_receiver_that_comes_back_gets_what_it_missed(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    installation.open("scheduler", "worker")
    scripted_receiver.kill()
    job = installation.create(run_at=ahead(), callback_url=scripted_receiver.url("/ok"), retry_delays_seconds=[1] * 20)
    installation.wait_for_rows("SELECT 1 FROM job_logs WHERE outcome = 'connect_error'")
    scripted_receiver.start()
    (arrival,) = scripted_receiver.wait_for(1)
    installation.wait_until_done()
    assert arrival.job_id == job["id"]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", scripted_receiver.port)) == 0
