"""Secret headers between the user, the store and the receiver: sealed before they are stored, opened to be sent."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress

from attrs import evolve, field, frozen

from cronhook_core.domain.callback_headers import MASK, is_secret_header
from cronhook_core.domain.sealed_values import is_sealed
from cronhook_core.domain.webhook import RESPONSE_HEADER_STORED_LIMIT, WebhookResult
from cronhook_core.errors import UnreadableSecret
from cronhook_core.ports.header_vault import HeaderVault

Headers = Sequence[tuple[str, str]]

SHORTEST_REDACTED = 6
"""Characters; what is shorter occurs in any text by chance."""
_SAFE_IN_HTML = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})


def sealed(headers: Headers, vault: HeaderVault | None, job_id: str) -> tuple[tuple[str, str], ...]:
    """The headers as they are stored. What is sealed already stays; without a vault all stay as they are."""
    if vault is None:
        return tuple(headers)
    return tuple(
        (name, vault.seal(value, job_id=job_id, name=name))
        if is_secret_header(name) and not is_sealed(value)
        else (name, value)
        for name, value in headers
    )


@frozen(kw_only=True)
class OpenedHeaders:
    """``secrets`` are the values that nobody may see again, and what of them a receiver may repeat by itself."""

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def opened(headers: Headers, vault: HeaderVault | None, job_id: str) -> OpenedHeaders:
    """The headers as they are sent. Raises `UnreadableSecret`."""
    plain = tuple((name, _opened(name, value, vault, job_id)) for name, value in headers)
    secrets = (part for name, value in plain if is_secret_header(name) for part in _parts(name.lower(), value))
    return OpenedHeaders(headers=plain, secrets=tuple(dict.fromkeys(secrets)))


def without_secrets(result: WebhookResult, secrets: Sequence[str]) -> WebhookResult:
    """The result, with secrets that the receiver repeated masked: the log of attempts is not encrypted."""
    repeated = sorted((secret for secret in secrets if len(secret) >= SHORTEST_REDACTED), key=len, reverse=True)
    if not repeated:
        return result
    return evolve(
        result,
        response_headers=tuple((name, _masked_value(value, repeated)) for name, value in result.response_headers),
        response_body=_masked_body(result, repeated),
    )


def _parts(name: str, value: str) -> Iterator[str]:
    """The value and what of it is a secret by itself, each also as JSON has it."""
    for part in (value, *(_values_of(value) if name == "cookie" else _credentials(value))):
        yield from _spellings(part)


def _spellings(text: str) -> Iterator[str]:
    """Some writers of JSON escape slashes, as PHP's, and others what HTML takes for its own, as Go's and Rails'."""
    as_json = json.dumps(text)[1:-1]
    yield from (text, as_json)
    yield from (text.replace("/", "\\/"), as_json.replace("/", "\\/"))
    yield as_json.translate(_SAFE_IN_HTML)


def _credentials(value: str) -> Iterator[str]:
    """What stands behind the scheme (RFC 9110, section 11.4), which headers of people's own have, too.

    Of Basic also what it encodes (RFC 7617).
    """
    scheme, _, credentials = value.partition(" ")
    yield credentials.strip()
    if scheme.lower() == "basic":
        with suppress(ValueError):
            pair = b64decode(credentials).decode()
            yield from (pair, pair.partition(":")[2])


def _values_of(cookies: str) -> Iterator[str]:
    """Each value of a list of cookies (RFC 6265, section 4.2)."""
    yield from (pair.partition("=")[2].strip().strip('"') for pair in cookies.split(";"))


def _opened(name: str, value: str, vault: HeaderVault | None, job_id: str) -> str:
    if not is_sealed(value):
        return value
    if vault is None:
        raise UnreadableSecret(name, "it is encrypted, and there is no secret key to read it with")
    return vault.open(value, job_id=job_id, name=name)


def _masked_value(value: str, secrets: Sequence[str]) -> str:
    """A header's, which may have been cut where it has all the characters that are kept."""
    return _masked(value, secrets, cut=len(value) >= RESPONSE_HEADER_STORED_LIMIT)


def _masked_body(result: WebhookResult, secrets: Sequence[str]) -> str | None:
    if result.response_body is None:
        return None
    return _masked(result.response_body, secrets, cut=result.response_truncated)


def _masked(text: str, secrets: Sequence[str], *, cut: bool) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _without_beginning(text, secrets) if cut else text


def _without_beginning(text: str, secrets: Sequence[str]) -> str:
    """Masks a secret of which only the beginning is there, at the end of a text that was cut."""
    longest = max((_overlap(text, secret) for secret in secrets), default=0)
    return text[:-longest] + MASK if longest >= SHORTEST_REDACTED else text


def _overlap(text: str, secret: str) -> int:
    longest = min(len(secret) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(secret[:size])), 0)
