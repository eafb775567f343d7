"""Signed requests, for the unit tests of a receiver. Needs the base install alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cronhook_client.webhooks import Webhook
from cronhook_server.testing.known import SIGNING_SECRET


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What a receiver is sent: hand ``body`` and ``headers`` to your framework's test client, unchanged."""

    body: bytes
    headers: Mapping[str, str]


def signed_request(
    payload: Any = None,
    *,
    body: bytes | None = None,
    secret: str = SIGNING_SECRET,
    execution_id: str = "exe_test",
    job_id: str = "job_test",
    scheduled_for: datetime | None = None,
    attempt: int = 1,
    at: datetime | None = None,
    headers: Mapping[str, str] | None = None,
) -> SignedRequest:
    """A request as cronhook sends it.

    Args:
        payload: The job's payload, any JSON value.
        body: The raw body instead of a payload, to see what the receiver makes of one that is no JSON.
        secret: ``whsec_…``. The default signs the webhooks of in-process servers, too.
        execution_id: The same over all attempts of one execution: repeat it to see a repeat.
        job_id: Whose execution it is.
        scheduled_for: For which instant it was planned. None: ``at``.
        attempt: From 1.
        at: When it was sent (an aware datetime): receivers refuse what is more than 5 minutes off. None: now.
        headers: The job's own. Only ``content-type`` and ``user-agent`` take the place of what cronhook sends.
    """
    raw = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode() if body is None else body
    sent_at = datetime.now(UTC) if at is None else at
    signed = Webhook(secret).sign(raw, execution_id=execution_id, at=sent_at)
    planned_for = (scheduled_for or sent_at).astimezone(UTC).isoformat().replace("+00:00", "Z")
    told = {
        "cronhook-job-id": job_id,
        "cronhook-scheduled-for": planned_for,
        "cronhook-attempt": str(attempt),
    }
    defaults = {"content-type": signed.pop("content-type"), "user-agent": "cronhook-testing"}
    own = {name.lower(): value for name, value in (headers or {}).items()}
    return SignedRequest(body=raw, headers={**defaults, **own, **signed, **told})
