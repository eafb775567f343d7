"""Signed requests, now."""

import time

from cronhook_client.webhooks import Webhook
from cronhook_core.domain.signature import encode_secret, signature_header

SECRET = encode_secret(b"s" * 32)
WEBHOOK = Webhook(SECRET)
BODY = b'{"report":"sales"}'


def signed_headers(execution_id: str = "exe_1", *, body: bytes = BODY) -> dict[str, str]:
    at = int(time.time())
    return {
        "webhook-id": execution_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature_header([b"s" * 32], webhook_id=execution_id, timestamp=at, body=body),
        "content-type": "application/json",
    }
