"""From a claim to a signed request, and from its result to a report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random

from attrs import evolve

from cronhook_core.domain.claim import AttemptReport, Claim
from cronhook_core.domain.signature import signature_header
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.engine.secret_headers import opened, without_secrets
from cronhook_core.engine.sender_result import checked, failed_by_sender
from cronhook_core.errors import UnreadableSecret
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.header_vault import HeaderVault
from cronhook_core.ports.signing_keys import SigningKeys
from cronhook_core.ports.webhook_sender import WebhookSender


class Delivery:
    """Makes one attempt for a claim. ``keys`` is None where webhooks go unsigned, ``vault`` where nothing is sealed."""

    def __init__(
        self,
        sender: WebhookSender,
        *,
        keys: SigningKeys | None,
        clock: Clock,
        random: Random,
        user_agent: str,
        vault: HeaderVault | None = None,
    ) -> None:
        self._sender = sender
        self._keys = keys
        self._clock = clock
        self._random = random
        self._user_agent = user_agent
        self._vault = vault

    async def secrets(self, claim: Claim) -> Sequence[bytes]:
        """What signs this claim's request. Raises ``Unavailable`` where it was never known."""
        return await self._keys.secrets(claim.workspace_id) if self._keys else ()

    async def attempt(
        self, claim: Claim, secrets: Sequence[bytes], *, cut_off: Callable[[], bool] = lambda: True
    ) -> AttemptReport:
        """Send, once, and report. Raises nothing but the cancellation of a caller that says it has ``cut_off``.

        Any other cancellation is the sender's doing: of something that it waited for, or of the task that it runs in.
        What ends a program or a coroutine passes, too.
        """
        began = self._clock.monotonic()
        try:
            result = await self._send(claim, secrets)
        except UnreadableSecret as error:  # not for good: the operator can give the right key back
            result = WebhookResult(outcome=Outcome.INTERNAL_ERROR, error=str(error))
        except asyncio.CancelledError as error:
            if _is_cancelled() and cut_off():
                raise
            _go_on()
            result = failed_by_sender(type(error).__name__)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a sender must not raise; one that does fails its own attempt only
            result = failed_by_sender(type(error).__name__)
        finished_at = self._clock.now()
        decision = claim.retry_policy.decide(
            result, retries_used=claim.retries_used, now=finished_at, spread=self._random.uniform(-1, 1)
        )
        return AttemptReport(
            execution_id=claim.execution_id,
            attempt_no=claim.attempt_no,
            job_id=claim.job_id,
            result=result,
            decision=decision,
            duration=timedelta(seconds=self._clock.monotonic() - began),
            finished_at=finished_at,
        )

    async def _send(self, claim: Claim, secrets: Sequence[bytes]) -> WebhookResult:
        if not claim.headers:
            return checked(await self._sender(webhook_request(claim, secrets, self._clock.now(), self._user_agent)))
        plain = opened(claim.headers, self._vault, claim.job_id)
        claim = evolve(claim, headers=plain.headers)
        result = await self._sender(webhook_request(claim, secrets, self._clock.now(), self._user_agent))
        return without_secrets(checked(result), plain.secrets)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _go_on() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def webhook_request(claim: Claim, secrets: Sequence[bytes], now: datetime, user_agent: str) -> WebhookRequest:
    """The request of one attempt, signed by the Standard Webhooks specification 1.0."""
    timestamp = int(now.timestamp())
    headers = [
        ("webhook-id", claim.execution_id),
        ("webhook-timestamp", str(timestamp)),
        ("cronhook-job-id", claim.job_id),
        ("cronhook-scheduled-for", wire_instant(claim.scheduled_for)),
        ("cronhook-attempt", str(claim.attempt_no)),
    ]
    if secrets:
        signature = signature_header(secrets, webhook_id=claim.execution_id, timestamp=timestamp, body=claim.payload)
        headers.append(("webhook-signature", signature))
    defaults = [("content-type", "application/json"), ("user-agent", user_agent)]
    if claim.headers:
        written = {name.lower() for name, _ in claim.headers}
        defaults = [default for default in defaults if default[0] not in written]
    return WebhookRequest(
        url=claim.callback_url,
        headers=(*defaults, *claim.headers, *headers),
        body=claim.payload,
        timeout=claim.timeout,
    )


@lru_cache(maxsize=256)
def wire_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with ``Z``; remembered, because much is due at the same instant."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
