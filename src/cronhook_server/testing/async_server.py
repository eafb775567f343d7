"""A whole server in the test's own event loop, on memory and a virtual clock."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from cronhook_client import AsyncCronhook
from cronhook_client.exchange import AsyncTransport, Headers, HttpAnswer, HttpRequest
from cronhook_core.domain.api_key import ApiKey, Scope, digest_of, display_prefix
from cronhook_core.domain.ids import new_id
from cronhook_core.domain.workspace import Workspace
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.composition import memory_backends
from cronhook_server.secret_key import pepper_of
from cronhook_server.settings import Settings
from cronhook_server.signing import DerivedSigningKeys
from cronhook_server.testing.calling import Answer, AsgiApp, Ask, Function, WsgiApp, asgi, function, wsgi
from cronhook_server.testing.known import API_KEY, BASE_URL, SECRET_KEY, WORKSPACE_ID
from cronhook_server.testing.receivers import ANY_ADDRESS, Receivers
from cronhook_server.testing.sent_webhook import SentWebhook
from cronhook_server.testing.virtual_engine import VirtualEngine

T = TypeVar("T")


class AsyncInProcessServer:
    """The API, the planner and the deliveries of cronhook, with nothing of it outside this object.

    ``client`` speaks to it; webhooks go to what is mounted. Time stands still until `advance` moves it; what is due on
    the way is delivered then, and nothing ever is in between: one after the other, of one instant in the order in which
    their jobs were created. Retries come exactly after their delays, without jitter.

    ``app`` is the API as an ASGI application, ``transport`` what carries the calls of other clients of your own.
    """

    def __init__(self, *, start: datetime | None = None, raise_errors: bool = True) -> None:
        """A server without jobs. Nothing has to be closed, and no event loop needs to run yet.

        Args:
            start: The instant to begin at, an aware datetime. None: now.
            raise_errors: What a receiver raises counts as an answer 500, and comes out of `advance` as well, so that a
                failed assertion fails the test. False: only the former.
        """
        self._clock = ManualClock(datetime.now(UTC) if start is None else start)
        self._raise_errors = raise_errors
        backends = memory_backends(self._clock)
        settings = Settings(allowed_targets=ANY_ADDRESS, cpu_percent_per_key=100, requests_per_second_per_key=0)
        assembly = Assembly(backends, settings, secret_key=SECRET_KEY, hooks=NoHooks(), random=_InOrder())
        keys = DerivedSigningKeys(backends.accounts, secret_key=SECRET_KEY, clock=self._clock)
        self._receivers = Receivers(self._clock, lambda: keys.secrets(WORKSPACE_ID))
        delivery = assembly.delivery(self._receivers)
        self._engine = VirtualEngine(backends.store, delivery, self._clock, self._raise_error)
        _at_once(_install(backends.accounts, self.now))
        self.app: AsgiApp = create_app(assembly.services(), log_requests=False)
        self.transport: AsyncTransport = _InProcess(self.app)
        self.client = AsyncCronhook(API_KEY, base_url=BASE_URL, transport=self.transport)

    @property
    def now(self) -> datetime:
        """The server's time. Compute a ``run_at`` from this, not from the real time."""
        return self._clock.now()

    @property
    def sent(self) -> Sequence[SentWebhook]:
        """Every webhook that was sent, in order."""
        return self._receivers.sent

    def mount(self, url: str, handler: Function) -> None:
        """Webhooks to ``url``, and below it, call ``handler(body, headers)``, which may be a coroutine function.

        It returns the status to answer, None meaning 200. A plain function runs in a thread of its own.
        """
        self._receivers.mount(url, function(handler))

    def mount_asgi(self, url: str, app: AsgiApp) -> None:
        """Webhooks to ``url``, and below it, go to an ASGI application with their full path. No lifespan is run."""
        self._receivers.mount(url, asgi(app))

    def mount_wsgi(self, url: str, app: WsgiApp) -> None:
        """Webhooks to ``url``, and below it, go to a WSGI application with their full path, in a thread."""
        self._receivers.mount(url, wsgi(app))

    async def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> Sequence[SentWebhook]:
        """Let time go by, and deliver what becomes due, each at its instant; with nothing given: what is due now.

        Returns what was sent meanwhile. Raises what a receiver raised (see ``raise_errors``), and `NoReceiver` where
        nothing is mounted at a URL; time then stands at that instant.
        """
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return await self.advance_to(self.now + span)

    async def advance_to(self, instant: datetime) -> Sequence[SentWebhook]:
        """`advance` to an instant (an aware datetime). ValueError for one that has passed."""
        if instant < self.now:
            raise ValueError(f"time does not go back: it is {self.now} already")
        before = len(self.sent)
        await self._engine.advance_to(instant)
        return self.sent[before:]

    def _raise_error(self) -> None:
        error = self._receivers.take_error()
        if isinstance(error, StopIteration):  # which no coroutine can raise
            error = RuntimeError("a receiver raised StopIteration")
        if error is not None and self._raise_errors:
            raise error


class _InOrder(Random):
    """Counts where ids are drawn, so that their order is that in which they were made, and leaves out the jitter."""

    _drawn = 0

    def getrandbits(self, k: int, /) -> int:
        self._drawn += 1
        return self._drawn

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class _InProcess:
    """Carries requests to an ASGI application."""

    def __init__(self, app: AsgiApp) -> None:
        self._call = asgi(app)

    async def send(self, request: HttpRequest, /) -> HttpAnswer:
        headers = tuple(request.headers.items())
        answer = Answer()
        ask = Ask(method=request.method, url=request.url, headers=headers, body=request.body or b"")
        await self._call(ask, answer)
        if answer.error is not None:
            raise answer.error
        return HttpAnswer(status=answer.status, headers=Headers(answer.headers), body=answer.body)

    async def close(self) -> None:
        """There is nothing to let go."""


async def _install(accounts: AccountStore, now: datetime) -> None:
    await accounts.ensure_workspace(Workspace(id=WORKSPACE_ID, name="default", created_at=now))
    key = ApiKey(
        id=new_id("key", now, Random(0)),
        workspace_id=WORKSPACE_ID,
        name="testing",
        prefix=display_prefix(API_KEY),
        digest=digest_of(API_KEY, pepper_of(SECRET_KEY)),
        scopes=frozenset(Scope),
        created_at=now,
    )
    await accounts.add_key(key)


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing, as those of the memory stores do; no event loop is needed."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("it waited")
