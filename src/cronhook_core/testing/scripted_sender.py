from __future__ import annotations

import asyncio
from collections import defaultdict, deque

from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult

Answer = int | WebhookResult | Exception
"""What a request gets: an HTTP status, a whole result, or an error raised against the contract of senders."""


class ScriptedSender:
    """A `WebhookSender` that sends nothing and answers as it was told.

    ``answers`` are given in the order of the requests, those set with `on` to the requests for one URL; when they are
    used up, ``default`` is. ``requests`` are all requests in the order of their arrival, ``cancelled`` those whose call
    was cancelled.
    """

    def __init__(self, *answers: Answer, default: Answer = 200) -> None:
        self.requests: list[WebhookRequest] = []
        self.cancelled: list[WebhookRequest] = []
        self.in_flight = 0
        self._answers = deque(answers)
        self._answers_by_url: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._default = default
        self._gates: dict[str | None, asyncio.Event] = {}
        self._changed = asyncio.Event()

    def on(self, url: str, *answers: Answer) -> None:
        """Add answers for requests to this URL; they come before those for any request."""
        self._answers_by_url[url].extend(answers)

    def hold(self, url: str | None = None) -> None:
        """From now on requests to this URL (None: all) get no answer before `let_go`."""
        self._gates.setdefault(url, asyncio.Event())

    def let_go(self, url: str | None = None) -> None:
        """Answer what is held by the `hold` of the same URL, and no longer hold."""
        if gate := self._gates.pop(url, None):
            gate.set()

    async def wait_for(self, requests: int, *, within: float = 10.0) -> list[WebhookRequest]:
        """All requests, once there are this many; at most ``within`` real seconds."""
        try:
            async with asyncio.timeout(within):
                while len(self.requests) < requests:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {requests} requests within {within} s, but {len(self.requests)}") from None
        return self.requests

    async def __call__(self, request: WebhookRequest, /) -> WebhookResult:
        self.requests.append(request)
        self._changed.set()
        answer = self._answer_to(request)
        self.in_flight += 1
        try:
            for gate in (self._gates.get(None), self._gates.get(request.url)):
                if gate is not None:
                    await gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(request)
            raise
        finally:
            self.in_flight -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, WebhookResult) else result_of_status(answer)

    def _answer_to(self, request: WebhookRequest) -> Answer:
        for answers in (self._answers_by_url[request.url], self._answers):
            if answers:
                return answers.popleft()
        return self._default


def result_of_status(status: int) -> WebhookResult:
    """What a receiver's answer with this status and an empty body becomes."""
    succeeded = 200 <= status < 300
    return WebhookResult(
        outcome=Outcome.SUCCEEDED if succeeded else Outcome.HTTP_ERROR,
        error=None if succeeded else f"the receiver answered {status}",
        response_status=status,
        response_body="",
    )
