"""The processes of a soak: daemons, each with connections of its own to Postgres and Redis that can be broken."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import defaultdict
from contextlib import ExitStack
from http.client import HTTPException
from typing import Self

import psycopg

from tests.canaries import SECRET_KEY
from tests.databases import Databases
from tests.faults.audit import audit_postgres
from tests.faults.chaos_proxy import ChaosBoard, ChaosProxy
from tests.faults.installation import Installation, metrics
from tests.faults.processes import COMMAND, CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.soak.kinds import DAEMONS, POSTGRES, REDIS, SCHEDULERS, link
from tests.services import PostgresServer, ValkeyServer, free_port, wait_until

HOSTS = tuple(f"127.0.0.{number}" for number in range(1, 9))
START_SECONDS = 120.0
"""A process that starts while the database is away waits for it."""


class Fleet:
    """Everything that runs. `close` ends all of it, and so does the end of this process, however it comes."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._busy: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.processes: dict[str, CronhookProcess] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def link(self, name: str) -> ChaosProxy:
        """By its name, as in ``worker-1 to postgres``."""
        daemon, _, server = name.partition(" to ")
        url = self.database_url if server == POSTGRES else self.redis.url
        return self.board.proxy(daemon, server, url=url)

    def busy(self, target: str) -> threading.Lock:
        """Held by whoever breaks or mends this target."""
        return self._busy[target]

    def leader(self) -> str:
        """The scheduler that leads; the first one, where nobody says so."""
        for name in SCHEDULERS:
            try:
                if metrics(self.processes[name])["cronhook_leader"] == 1:
                    return name
            except (OSError, HTTPException, LookupError):
                continue
        return SCHEDULERS[0]

    def start_again(self, *names: str) -> None:
        """Returns when these processes, which had ended, have said that they are there."""
        starting = [(self.processes[name], self.processes[name].log_size()) for name in names]
        for process, _ in starting:
            process.start()
        for process, size in starting:
            process.wait_for_line('"started"', START_SECONDS, after=size)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._installation.port}"

    def count(self, query: str) -> int:
        """The one number that the query gives, by way of no proxy."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def address(self, name: str) -> str:
        """Where the daemon answers probes."""
        return self.api_url if name == "api" else f"http://127.0.0.1:{self._ports[name]}"

    def _start(self) -> None:
        enter = self._stack.enter_context
        self.board = enter(ChaosBoard())
        self.postgres = enter(PostgresServer())
        self.redis = enter(ValkeyServer())
        self.receiver = enter(ScriptedReceiver(hosts=HOSTS))
        self.database_url = self._stack.enter_context(Databases(self.postgres.url).fresh())
        audit_postgres(self.database_url)
        self._installation = Installation(self.database_url, self.redis.url)
        self._ports = {name: free_port() for name in DAEMONS}
        for name in DAEMONS:
            process = CronhookProcess(name.partition("-")[0], settings=self._settings(name))
            self.processes[name] = enter(process)
        for process in self.processes.values():
            process.wait_for_line('"started"', START_SECONDS)
        made = self._make_key()
        self.api_key, self.workspace_id = made["key"], made["workspace_id"]
        self.secrets = [self.api_key, SECRET_KEY]
        wait_until(lambda: self.leader() in SCHEDULERS, 20, "a scheduler leads")

    def _settings(self, name: str) -> dict[str, str]:
        """Those of every installation, by way of proxies."""
        postgres, redis = self.link(link(name, POSTGRES)), self.link(link(name, REDIS))
        return {
            **self._installation.settings,
            "CRONHOOK_DATABASE_URL": postgres.url_for(self.database_url),
            "CRONHOOK_REDIS_URL": redis.url_for(self.redis.url),
            "CRONHOOK_METRICS_PORT": str(self._ports[name]),
        }

    def _make_key(self) -> dict[str, str]:
        command = [*COMMAND, "keys", "create", "--workspace", "default", "-o", "json"]
        made = subprocess.run(command, env=self._installation.settings, capture_output=True, text=True, check=True)
        key: dict[str, str] = json.loads(made.stdout)
        return key
