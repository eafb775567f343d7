"""What is well with an installation and what is not: from facts to checks, each with what to do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from attrs import frozen

from cronhook_core.domain.key_derivation import MIN_SECRET_KEY_LENGTH, key_id

OLDEST_REDIS = (6, 2)
CLOCK_NOTICED = timedelta(seconds=1)
CLOCK_WRONG = timedelta(seconds=5)
"""A clock that is further off than this is not believed by the others."""
GUESSABLE_BITS = 64.0
WEAK_BITS = 100.0
OLD_TZDATA = timedelta(days=365)
_PLACEHOLDERS = (
    "changeme",
    "change-me",
    "change_me",
    "example",
    "password",
    "your-secret",
    "your_secret",
    "0123456789",
)
_GROUP_WRITES, _OTHERS = 0o020, 0o007


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@frozen(kw_only=True)
class Check:
    """``detail`` is what was seen, ``advice`` what to do; None where nothing is to be done."""

    name: str
    status: Status
    detail: str
    advice: str | None = None


def ok(name: str, detail: str) -> Check:
    return Check(name=name, status=Status.OK, detail=detail)


def warning(name: str, detail: str, advice: str) -> Check:
    return Check(name=name, status=Status.WARNING, detail=detail, advice=advice)


def failed(name: str, detail: str, advice: str) -> Check:
    return Check(name=name, status=Status.FAILED, detail=detail, advice=advice)


def worst(checks: Sequence[Check]) -> Status:
    found = {check.status for check in checks}
    return next((status for status in (Status.FAILED, Status.WARNING) if status in found), Status.OK)


def schema_check(revision: str | None, wanted: str, *, is_newer: bool) -> Check:
    name = "schema"
    if revision == wanted:
        return ok(name, f"{revision}, as this version needs it")
    if is_newer:
        detail = f"{revision}, which a later version of cronhook made; this one needs {wanted}"
        return warning(name, detail, "Update cronhook on this machine: it works, but may not for long.")
    return failed(name, f"{revision or 'there is none'}; this version needs {wanted}", "Run `cronhook migrate`.")


def clock_check(name: str, ahead: timedelta) -> Check:
    """``ahead``: how far another machine's clock is ahead of this one's."""
    off = abs(ahead)
    detail = f"{_milliseconds(off)} {'ahead of' if ahead >= timedelta(0) else 'behind'} this machine"
    if off <= CLOCK_NOTICED:
        return ok(name, detail)
    make = failed if off > CLOCK_WRONG else warning
    return make(name, detail, "Keep the clocks of both machines by NTP (chrony, systemd-timesyncd).")


def secret_key_check(secret_key: str, source: str, stored_key_id: str | None) -> Check:
    """``stored_key_id`` tells the secret that the database was made with; None: it does not know yet."""
    name = "secret key"
    if stored_key_id is not None and stored_key_id != key_id(secret_key):
        return failed(
            name,
            f"from {source}: not the one that the database was made with"
            f" (that is {stored_key_id}, this {key_id(secret_key)})",
            "Give the old one back; where it is lost, run `cronhook migrate --new-secret-key` and make new API keys.",
        )
    if len(secret_key) < MIN_SECRET_KEY_LENGTH:
        return failed(
            name, f"from {source}: shorter than {MIN_SECRET_KEY_LENGTH} characters", "Restore it from a copy."
        )
    belongs = "and the database's own" if stored_key_id else "and the database does not know one yet"
    bits = _bits(secret_key)
    replace = "Take a random one for the next installation: `openssl rand -base64 48`. Changing it ends all API keys."
    if bits < GUESSABLE_BITS:
        return failed(name, f"from {source}: it can be guessed (about {bits:.0f} bits), {belongs}", replace)
    if bits < WEAK_BITS or any(word in secret_key.lower() for word in _PLACEHOLDERS):
        return warning(name, f"from {source}: it looks like a text that somebody made up, {belongs}", replace)
    return ok(name, f"from {source}: strong, {belongs}")


def redis_check(server: str, version: tuple[int, ...], eviction_policy: str) -> Iterator[Check]:
    if version < OLDEST_REDIS:
        oldest = ".".join(map(str, OLDEST_REDIS))
        yield failed("redis", f"{server} answers, and is too old", f"Use Redis {oldest} or later, or Valkey.")
    else:
        yield ok("redis", f"{server} answers")
    name, detail = "redis memory", f"maxmemory-policy {eviction_policy}"
    if eviction_policy == "noeviction":
        yield ok(name, detail)
    else:
        advice = "Set maxmemory-policy to noeviction: a full Redis would delete keys, the leader's lock included."
        yield failed(name, detail, advice)


def zone_rules_check(installed: str, remembered: str | None, today: date) -> Check:
    """``installed`` is a version of the tzdata package, such as ``2026.1``."""
    name = "tzdata"
    if remembered is not None and remembered != installed:
        detail = f"{installed} is installed; the database's instants were computed by {remembered}"
        advice = "Give all machines one version, then restart the schedulers: the leader recomputes what is ahead."
        return warning(name, detail, advice)
    year = installed.partition(".")[0]
    if year.isdigit() and today - date(int(year), 12, 31) > OLD_TZDATA:
        return warning(name, f"{installed}: more than a year old", "Update it: `pip install --upgrade tzdata`.")
    known = "" if remembered is None else ", by which the database's instants were computed"
    return ok(name, f"{installed}{known}")


def croniter_check(installed: str) -> Check:
    if installed.partition(".")[0] == "7":
        return ok("croniter", installed)
    advice = "Install the one that lines are checked against: `pip install 'croniter>=7,<8'`."
    return failed("croniter", f"{installed} reads some lines differently", advice)


def file_check(path: Path, mode: int, *, secret: bool, own: bool) -> Check | None:
    """None where the file may stay as it is. ``mode``: its permission bits; ``own``: it belongs to who asks.

    A group that reads it is how services are given secrets (root and the service's group, 0640; ``fsGroup``).
    """
    if not mode & (_GROUP_WRITES | _OTHERS):
        return None
    make = failed if secret else warning
    detail = f"{path} may be read or written by others ({mode & 0o777:04o})"
    if not own:
        return warning("files", detail, "It belongs to another user: see that those who may read it are meant to.")
    return make("files", detail, f"Run `chmod go-rwx {path}`, or `chmod g-w,o-rwx` where a group is to read it.")


def owner_check(path: Path, owner: int, folder_owner: int) -> Check | None:
    """None where a server that runs as the owner of the file's folder owns the file, too. Both are user ids."""
    if owner == folder_owner:
        return None
    detail = f"{path} belongs to user {owner}, and its folder to user {folder_owner}"
    return failed("files", detail, f"A server that runs as that user needs it: `chown {folder_owner} {path}`.")


def settings_check(sources: Mapping[str, str], mistyped: Mapping[str, str]) -> Check:
    name, given = "settings", f"{len(sources)} given, the others as by default; `cronhook settings` shows them"
    if not mistyped:
        return ok(name, given)
    meant = ", ".join(mistyped.values())
    return warning(name, f"{given}; nobody reads {', '.join(mistyped)}", f"Did you mean {meant}?")


def _bits(secret: str) -> float:
    """Shannon's measure over its characters: an upper limit, for a text has far less."""
    counts = Counter(secret)
    return sum(-count * math.log2(count / len(secret)) for count in counts.values())


def _milliseconds(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
