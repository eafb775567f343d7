"""Secret headers between the user, the store and the receiver: sealed before they are stored, opened to be sent."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from cronhook_core.domain.callback_headers import MASK, is_secret_header
from cronhook_core.domain.sealed_values import is_sealed
from cronhook_core.domain.webhook import WebhookResult
from cronhook_core.errors import UnreadableSecret
from cronhook_core.ports.header_vault import HeaderVault

Headers = Sequence[tuple[str, str]]

SHORTEST_REDACTED = 6
"""Characters; what is shorter occurs in any text by chance."""


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
    """``secrets`` are the values that nobody may see again."""

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def opened(headers: Headers, vault: HeaderVault | None, job_id: str) -> OpenedHeaders:
    """The headers as they are sent. Raises `UnreadableSecret`."""
    plain = tuple((name, _opened(name, value, vault, job_id)) for name, value in headers)
    return OpenedHeaders(headers=plain, secrets=tuple(value for name, value in plain if is_secret_header(name)))


def without_secrets(result: WebhookResult, secrets: Sequence[str]) -> WebhookResult:
    """The result, with secrets that the receiver repeated masked: the log of attempts is not encrypted."""
    repeated = sorted((secret for secret in secrets if len(secret) >= SHORTEST_REDACTED), key=len, reverse=True)
    if not repeated:
        return result
    return evolve(
        result,
        response_headers=tuple((name, _masked(value, repeated)) for name, value in result.response_headers),
        response_body=None if result.response_body is None else _masked(result.response_body, repeated),
    )


def _opened(name: str, value: str, vault: HeaderVault | None, job_id: str) -> str:
    if not is_sealed(value):
        return value
    if vault is None:
        raise UnreadableSecret(name, "it is encrypted, and there is no secret key to read it with")
    return vault.open(value, job_id=job_id, name=name)


def _masked(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
