"""The whole server on a loopback port, in a thread and an event loop of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from typing import Any, Self, TypeVar

from cronhook_core.domain.api_key import Scope
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.composition import open_backends, open_sender
from cronhook_server.key_service import KeyService
from cronhook_server.process import HttpServer, address_of, listen
from cronhook_server.settings import Settings
from tests.canaries import SECRET_KEY

START_SECONDS = 20.0

T = TypeVar("T")


class RunningServer:
    """API, scheduler and worker on a SQLite file in `folder`; receivers on 127.0.0.1 may be called."""

    def __init__(self, folder: Path, *, secret_key: str = SECRET_KEY, max_jobs: int = 10) -> None:
        self._secret_key = secret_key
        self._settings = Settings.read(
            {
                "CRONHOOK_DATABASE_URL": f"sqlite:///{folder / 'cronhook.db'}",
                "CRONHOOK_ALLOWED_TARGETS": "127.0.0.1/32",
                "CRONHOOK_SECRET_KEY": secret_key,
                "CRONHOOK_MAX_JOBS_PER_WORKSPACE": str(max_jobs),
                "CRONHOOK_CPU_PERCENT_PER_KEY": "100",
                "CRONHOOK_REQUESTS_PER_SECOND_PER_KEY": "0",
            }
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="server")
        self._started = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise TimeoutError("the server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """The settings of commands that work beside this server in its database."""
        return {"CRONHOOK_DATABASE_URL": self._settings.database_url, "CRONHOOK_SECRET_KEY": self._secret_key}

    def new_key(self, workspace: str, *scopes: Scope) -> str:
        """The text of a key of this workspace, which is made if it is missing; without scopes it has all."""

        async def make() -> str:
            found = await self._keys.workspace(workspace)
            _, text = await self._keys.create(found.id, name="tests", scopes=scopes or tuple(Scope))
            return text

        return self._do(make())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    async def _main(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with self._running():
            self._started.set()
            await self._stopping.wait()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        random = SystemRandom()
        with closing(listen("127.0.0.1", 0)) as listening:
            async with open_backends(self._settings, random) as backends, open_sender(self._settings) as sender:
                assembly = Assembly(
                    backends, self._settings, secret_key=self._secret_key, hooks=NoHooks(), random=random
                )
                self._keys: KeyService = assembly.keys()
                self.url = address_of(listening)
                scheduler, worker = assembly.scheduler(), assembly.worker(sender)
                server = HttpServer(create_app(assembly.services()), listening, drain_timeout=timedelta(seconds=1))
                for part in (worker, scheduler):
                    part.start()
                server.start(self._stopping.set)
                try:
                    yield
                finally:
                    await asyncio.gather(server.stop(), worker.stop(), scheduler.stop())
