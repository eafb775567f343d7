"""The client."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import SystemRandom
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast

from attrs import evolve

from cronhook_client._options import read_options, warn_if_unencrypted
from cronhook_client._sending import Sender, recording
from cronhook_client._transport import HttpxTransport
from cronhook_client.exchange import Transport
from cronhook_client.resources.executions import Executions
from cronhook_client.resources.health import Health
from cronhook_client.resources.jobs import Jobs
from cronhook_client.resources.keys import Keys
from cronhook_client.resources.logs import Logs
from cronhook_client.resources.schedules import Schedules
from cronhook_client.resources.workspace import Workspace
from cronhook_client.response import Response

P = ParamSpec("P")
T = TypeVar("T")


class Cronhook:
    """A client of cronhook's HTTP API, for programs without coroutines.

    Threads may share it; a process that is forked has connections of its own.

    ::

        with Cronhook() as client:
            job = client.jobs.create(name="report", cron="@daily", callback_url="https://app.example/report")

    Close it, or use it as a context manager, to let its connections go. Its methods raise `ApiError` (by kind, such as
    `NotFound`), `ConnectionFailed` or `UnexpectedAnswer`; `CronhookError` catches all of them.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        transport: Transport | None = None,
    ) -> None:
        """Nothing is sent yet. Raises `ConfigurationError` where the key is missing, or it or the URL cannot be meant.

        ValueError for such a ``timeout`` and such ``max_retries``.

        Args:
            api_key: ``chk_…``. None: the variable ``CRONHOOK_API_KEY``.
            base_url: Where the server is. None: the variable ``CRONHOOK_BASE_URL``, or else ``http://127.0.0.1:8080``,
                where ``cronhook up`` listens.
            timeout: Seconds for one try: for connecting, for each wait for the next bytes, and for the whole answer
                since it was asked for. Tries and the pauses between them add up. None: 30.
            max_retries: How often a call is tried again, after pauses that grow from 0.5 s to 8 s, or as the server's
                ``retry-after`` says, up to 30 s. All tries of a POST carry one idempotency key. None: 3.
            transport: What carries the requests, in tests or over a way of your own; the caller closes it. None: HTTP.
        """
        options = read_options(
            api_key=api_key, base_url=base_url, timeout=timeout, max_retries=max_retries, environ=os.environ
        )
        if transport is None:
            warn_if_unencrypted(options.base_url)
        carrying = HttpxTransport() if transport is None else transport
        self._use(Sender(options=options, transport=carrying, random=SystemRandom()), owns_transport=transport is None)

    def _use(self, sender: Sender, *, owns_transport: bool) -> None:
        self._sender = sender
        self._owns_transport = owns_transport
        self.jobs = Jobs(sender)
        self.executions = Executions(sender)
        self.logs = Logs(sender)
        self.schedules = Schedules(sender)
        self.keys = Keys(sender)
        self.workspace = Workspace(sender)
        self.health = Health(sender)

    def with_options(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
    ) -> Self:
        """A client with other options, for one call or many: ``client.with_options(timeout=5).jobs.get(…)``.

        What is None stays as it is. Both share connections, which the original closes.
        """
        before = self._sender.options
        options = read_options(
            api_key=before.api_key if api_key is None else api_key,
            base_url=base_url or before.base_url,
            timeout=before.timeout if timeout is None else timeout,
            max_retries=before.max_retries if max_retries is None else max_retries,
            environ={},
        )
        other = object.__new__(type(self))
        other._use(evolve(self._sender, options=options), owns_transport=False)
        return other

    def raw(self, method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Response[T]:
        """Call a method of a resource and get the whole answer: status, headers, request id, and the value it returns.

        ::

            response = client.raw(client.jobs.get, job_id)
            print(response.request_id, response.value.name)

        A ``list``, which sends nothing before it is iterated over, cannot be called so (TypeError); ``page`` can.
        """
        with recording() as responses:
            method(*args, **kwargs)
        if not responses:
            raise TypeError("this method sends nothing by itself: where it is a list, use page")
        return cast("Response[T]", responses[-1])

    def close(self) -> None:
        """Let the connections go. A repeat does nothing."""
        if self._owns_transport:
            self._sender.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._sender.options.base_url!r})"
