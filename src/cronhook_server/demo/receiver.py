"""A receiver of webhooks on this machine, as a user would write one: it verifies every signature."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from attrs import define, field

from cronhook_core.domain.signature import sign

HOST = "127.0.0.1"


@define
class Receiver:
    """Answers each path by its own list of statuses, one after the other; the last one stays.

    ``secrets`` are those that sign; they are set when they are known.
    """

    statuses: dict[str, list[int]]
    secrets: Sequence[bytes] = ()
    port: int = field(init=False, default=0)
    verified: dict[tuple[str, int], bool] = field(init=False, factory=dict)
    """Whether the signature was right, by (execution, attempt)."""

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        execution_id, attempt = request.headers["webhook-id"], int(request.headers["cronhook-attempt"])
        self.verified[execution_id, attempt] = self._is_signed(request, body)
        statuses = self.statuses[request.path]
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return web.Response(status=status, text="thank you" if status < 300 else "not now")

    def _is_signed(self, request: web.BaseRequest, body: bytes) -> bool:
        timestamp, given = int(request.headers["webhook-timestamp"]), request.headers["webhook-signature"].split()
        webhook_id = request.headers["webhook-id"]
        expected = [sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body) for secret in self.secrets]
        return any(hmac.compare_digest(one, other) for one in expected for other in given)
