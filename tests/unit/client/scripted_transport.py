"""Transports that send nothing and answer as they were told."""

import json
from collections.abc import Iterable
from typing import Any

from cronhook_client.errors import ConnectionFailed
from cronhook_client.exchange import Headers, HttpAnswer, HttpRequest

Outcome = HttpAnswer | ConnectionFailed


class ScriptedTransport:
    """Gives its outcomes in their order, the last one again and again; `requests` are all that it was asked."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.requests: list[HttpRequest] = []
        self.closed = 0
        self._outcomes = list(outcomes)

    def send(self, request: HttpRequest, /) -> HttpAnswer:
        self.requests.append(request)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, ConnectionFailed):
            raise outcome
        return outcome

    def close(self) -> None:
        self.closed += 1


class AsyncScriptedTransport:
    """The same for coroutines."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.scripted = ScriptedTransport(*outcomes)
        self.requests = self.scripted.requests

    async def send(self, request: HttpRequest, /) -> HttpAnswer:
        return self.scripted.send(request)

    async def close(self) -> None:
        self.scripted.close()


def answer(status: int = 200, body: Any = None, headers: Iterable[tuple[str, str]] = ()) -> HttpAnswer:
    content = b"" if body is None else json.dumps(body).encode()
    return HttpAnswer(status=status, headers=Headers([("content-type", "application/json"), *headers]), body=content)


def problem(status: int, code: str, headers: Iterable[tuple[str, str]] = (), **members: Any) -> HttpAnswer:
    body = {
        "type": f"/docs/errors#{code}",
        "title": "A title",
        "status": status,
        "detail": "What went wrong.",
        "instance": "/v1/jobs",
        "code": code,
        "request_id": "req_of_the_body",
        "errors": [],
    }
    content = json.dumps(body | members).encode()
    types = [("content-type", "application/problem+json")]
    return HttpAnswer(status=status, headers=Headers([*types, *headers]), body=content)
