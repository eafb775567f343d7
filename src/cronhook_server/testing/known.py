"""What every in-process server has in common, so that an application can be configured before one is made."""

from __future__ import annotations

from cronhook_core.domain.api_key import key_from_bits
from cronhook_core.domain.signature import derive_signing_secret, encode_secret

BASE_URL = "http://cronhook.test"
API_KEY = key_from_bits(0)
"""Of the workspace, with all scopes."""
SECRET_KEY = "the secret of servers that keep none"  # noqa: S105 - tests have nothing to hide
WORKSPACE_ID = "wsp_00000000000000000000000000"
SIGNING_SECRET = encode_secret(derive_signing_secret(SECRET_KEY, workspace_id=WORKSPACE_ID, version=1))
"""Signs every webhook, until a test rotates it."""
