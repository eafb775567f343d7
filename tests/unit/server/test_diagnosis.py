"""From facts to checks."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from cronhook_core.domain.key_derivation import key_id
from cronhook_server import diagnosis
from cronhook_server.diagnosis import Status

STRONG = "q3vP0Zr8nT6yWb2xKd9sLf4hGj7mCc1uEoAi5tRzXeYv"


@pytest.mark.parametrize(
    ("found", "is_newer", "status"),
    [
        ("0002", False, Status.OK),
        ("0001", False, Status.FAILED),
        (None, False, Status.FAILED),
        ("9", True, Status.WARNING),
    ],
)
def test_schema(found: str | None, is_newer: bool, status: Status) -> None:
    check = diagnosis.schema_check(found, "0002", is_newer=is_newer)
    assert check.status is status
    assert ("cronhook migrate" in (check.advice or "")) == (status is Status.FAILED)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0.0, Status.OK), (-0.9, Status.OK), (2.0, Status.WARNING), (-4.0, Status.WARNING), (6.0, Status.FAILED)],
)
def test_clocks(seconds: float, status: Status) -> None:
    check = diagnosis.clock_check("database clock", timedelta(seconds=seconds))
    assert check.status is status
    assert ("behind" in check.detail) == (seconds < 0)


@pytest.mark.parametrize(
    ("secret", "stored", "status"),
    [
        (STRONG, key_id(STRONG), Status.OK),
        (STRONG, None, Status.OK),
        (STRONG, key_id("another"), Status.FAILED),
        ("x" * 40, None, Status.FAILED),
        ("abcabcabcabcabcabcabcabcabcabcabcabc", None, Status.FAILED),
        (STRONG[:20], None, Status.FAILED),
        ("changeme" + STRONG, key_id("changeme" + STRONG), Status.WARNING),
    ],
)
def test_secret_keys(secret: str, stored: str | None, status: Status) -> None:
    check = diagnosis.secret_key_check(secret, "CRONHOOK_SECRET_KEY", stored)
    assert check.status is status
    assert (check.advice is None) == (status is Status.OK)
    assert secret not in check.detail


@pytest.mark.parametrize(
    ("version", "policy", "statuses"),
    [
        ((8, 1, 0), "noeviction", [Status.OK, Status.OK]),
        ((6, 2), "noeviction", [Status.OK, Status.OK]),
        ((6, 0, 16), "noeviction", [Status.FAILED, Status.OK]),
        ((7, 2, 4), "allkeys-lru", [Status.OK, Status.FAILED]),
    ],
)
def test_redis(version: tuple[int, ...], policy: str, statuses: list[Status]) -> None:
    assert [check.status for check in diagnosis.redis_check("Redis", version, policy)] == statuses


@pytest.mark.parametrize(
    ("installed", "remembered", "status"),
    [
        ("2026.1", None, Status.OK),
        ("2026.1", "2026.1", Status.OK),
        ("2026.1", "2025.2", Status.WARNING),
        ("2024.2", None, Status.WARNING),
    ],
)
def test_zone_rules(installed: str, remembered: str | None, status: Status) -> None:
    assert diagnosis.zone_rules_check(installed, remembered, date(2026, 11, 24)).status is status


def test_croniter() -> None:
    assert diagnosis.croniter_check("7.0.1").status is Status.OK
    assert diagnosis.croniter_check("6.0.0").status is Status.FAILED


def test_files() -> None:
    path = Path("cronhook.db.key")
    assert diagnosis.file_check(path, 0o600, secret=True, own=True) is None
    assert diagnosis.file_check(path, 0o640, secret=True, own=False) is None, "how services are given secrets"
    exposed = [diagnosis.file_check(path, 0o644, secret=secret, own=True) for secret in (True, False)]
    assert [check and check.status for check in exposed] == [Status.FAILED, Status.WARNING]
    assert {str(check and check.advice)[:36] for check in exposed} == {"Run `chmod go-rwx cronhook.db.key`, "}
    mounted = diagnosis.file_check(path, 0o444, secret=True, own=False)
    assert mounted is not None
    assert (mounted.status, "chmod" in str(mounted.advice)) == (Status.WARNING, False), "nobody here could follow that"


def test_the_owner_of_files() -> None:
    path = Path("cronhook.db")
    assert diagnosis.owner_check(path, 10001, 10001) is None
    restored = diagnosis.owner_check(path, 0, 10001)
    assert restored is not None
    assert (restored.status, "`chown 10001 cronhook.db`" in str(restored.advice)) == (Status.FAILED, True)


def test_the_worst_counts() -> None:
    fine, warned, bad = diagnosis.ok("a", ""), diagnosis.warning("b", "", ""), diagnosis.failed("c", "", "")
    assert diagnosis.worst([fine]) is Status.OK
    assert diagnosis.worst([fine, warned]) is Status.WARNING
    assert diagnosis.worst([bad, fine, warned]) is Status.FAILED
