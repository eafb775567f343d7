"""Secrets that the tests plant, and who looks out for them; `tests.canary_plugin` shows it what a run puts out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from cronhook_core.domain.api_key import is_well_formed

MARK = "cAnArY"
"""A part of every planted secret."""


def canary(door: str) -> str:
    """The secret of one door: letters, digits and hyphens, long enough to be a secret key."""
    return f"{MARK}-{door}-0123456789-abcdefghijklmnop"


SECRET_KEY = canary("secret-key")
DATABASE_PASSWORD = canary("database-password")
REDIS_PASSWORD = canary("redis-password")
HEADER_VALUE = canary("header-value")

_API_KEY = re.compile(r"chk_[0-9A-Za-z]{49}")
_SIGNING_SECRET = re.compile(r"whsec_[0-9A-Za-z+/]{43}=")
_SHOWS_A_SECRET = re.compile(r"/v1/keys(/[^/]+/rotate)?|/v1/workspace/signing-secret(/rotate)?")
_LARGEST_FILE = 200 * 1024 * 1024


def with_password(url: str, user: str, password: str) -> str:
    """The URL of a server that asks for none, with one."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username or user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


class Lookout:
    """``leaks`` are the places where a secret was seen."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self._folders: list[Path] = []

    def look(self, place: str, text: str) -> None:
        for kind in _kinds(text):
            self.leaks.append(f"{kind} in {place}")

    def look_at_answer(self, response: httpx.Response) -> None:
        request = response.request
        if not response.is_closed or (response.is_success and _SHOWS_A_SECRET.fullmatch(request.url.path)):
            return
        self.look(f"the answer {response.status_code} to {request.method} {request.url.path}", response.text)

    def look_into(self, folder: Path) -> None:
        """All files but those that are there to keep a secret, which are no secrets elsewhere."""
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in {".key", ".first-key"} and path.stat().st_size <= _LARGEST_FILE:
                content = path.read_bytes().decode("latin-1")
                self.look(f"the file {path.name} of {path.parent.name}", content)
                for key in path.parent.glob("*.key"):
                    if key.read_text().strip() in content:
                        self.leaks.append(f"the key of {key.name} in the file {path.name} of {path.parent.name}")


def _kinds(text: str) -> Iterator[str]:
    if MARK in text:
        yield f"the canary {text[text.index(MARK) :][: len(MARK) + 20]!r}…"
    if any(map(is_well_formed, _API_KEY.findall(text))):
        yield "an API key"
    if _SIGNING_SECRET.search(text):
        yield "a signing secret"


LOOKOUT = Lookout()
