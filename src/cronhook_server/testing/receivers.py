"""Where webhooks go that an in-process server sends: to the test's own applications and functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.callback_url import check_callback_url
from cronhook_core.domain.signature import signature_header
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.errors import InvalidCallbackUrl
from cronhook_core.ports.clock import Clock
from cronhook_server.composition import result_of_answer
from cronhook_server.testing.calling import Answer, Ask, Call
from cronhook_server.testing.sent_webhook import SentWebhook

ANY_ADDRESS = AllowedTargets.parse("0.0.0.0/0, ::/0")


class NoReceiver(LookupError):
    """A webhook was due for a URL that nothing was mounted at."""


class Receivers:
    """The `WebhookSender` of an in-process server. ``secrets`` gives what signs a webhook now.

    A request is signed at the real time, whatever ``clock`` says: receivers compare its timestamp with their own clock.
    """

    def __init__(self, clock: Clock, secrets: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        self.sent: list[SentWebhook] = []
        self._clock = clock
        self._secrets = secrets
        self._calls: dict[str, Call] = {}
        self._errors: list[BaseException] = []

    def mount(self, url: str, call: Call) -> None:
        """Requests to this URL, and to all below it, go to ``call``; of several that fit, to the longest."""
        self._calls[_as_jobs_have_it(url).rstrip("/")] = call

    def take_error(self) -> BaseException | None:
        """The first error that a receiver raised since this was last called."""
        error = self._errors[0] if self._errors else None
        self._errors.clear()
        return error

    async def __call__(self, request: WebhookRequest, /) -> WebhookResult:
        ask = Ask(method="POST", url=request.url, headers=await self._signed_now(request), body=request.body)
        call = self._call_for(request.url)
        if call is None:
            self._errors.append(NoReceiver(f"nothing is mounted at {request.url}: mount its receiver first"))
            return self._unanswered(ask, Outcome.CONNECT_ERROR, "nothing is mounted at this URL")
        seconds = request.timeout.total_seconds()
        answer = await _asked(call, ask, seconds)
        if answer is None:
            return self._unanswered(ask, Outcome.TIMEOUT, f"no answer within {seconds:g} s")
        return self._answered(request, ask, answer)

    def _call_for(self, url: str) -> Call | None:
        fitting = [place for place in self._calls if url == place or url.startswith((f"{place}/", f"{place}?"))]
        return self._calls[max(fitting, key=len)] if fitting else None

    def _answered(self, request: WebhookRequest, ask: Ask, answer: Answer) -> WebhookResult:
        if answer.error is not None:
            self._errors.append(answer.error)
        result = result_of_answer(request, answer.status, {n.lower(): v for n, v in answer.headers}, answer.body)
        self._keep(ask, answer.status, result.error)
        return result

    def _unanswered(self, ask: Ask, outcome: Outcome, error: str) -> WebhookResult:
        self._keep(ask, None, error)
        return WebhookResult(outcome=outcome, error=error)

    def _keep(self, ask: Ask, status: int | None, error: str | None) -> None:
        headers = {name.lower(): value for name, value in ask.headers}
        self.sent.append(
            SentWebhook(at=self._clock.now(), url=ask.url, headers=headers, body=ask.body, status=status, error=error)
        )

    async def _signed_now(self, request: WebhookRequest) -> tuple[tuple[str, str], ...]:
        headers = dict(request.headers)
        timestamp = int(time.time())
        headers["webhook-timestamp"] = str(timestamp)
        headers["webhook-signature"] = signature_header(
            await self._secrets(), webhook_id=headers["webhook-id"], timestamp=timestamp, body=request.body
        )
        return tuple(headers.items())


async def _asked(call: Call, ask: Ask, seconds: float) -> Answer | None:
    """The answer, if its status came in time. What an application does after it is waited for, and takes no time."""
    answer = Answer()
    calling = asyncio.ensure_future(call(ask, answer))
    completed = asyncio.ensure_future(answer.complete.wait())
    try:
        await asyncio.wait((calling, completed), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if calling.done() or answer.complete.is_set():
            await calling
            return answer
        calling.cancel()
        await asyncio.wait((calling,))
        return answer if answer.begun else None
    finally:
        calling.cancel()
        completed.cancel()


def _as_jobs_have_it(url: str) -> str:
    """Jobs have the URL that is requested: its host in lower case and ASCII, and no port that goes without saying."""
    try:
        return check_callback_url(url, allowed=ANY_ADDRESS).url
    except InvalidCallbackUrl:
        return url
