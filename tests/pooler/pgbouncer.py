"""A real PgBouncer in transaction mode, from Debian's package."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from tests.debian_packages import unpacked
from tests.server_binaries import postgres_binaries
from tests.services import ServerProcess, postgres_answers

POOL_SIZE = 12
"""Sessions to the server for each database: fewer than clients, so that these share them."""

_CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
admin_users = {user}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 1000
max_prepared_statements = 0
query_wait_timeout = 20
"""


class PgBouncer(ServerProcess):
    """Stands before the server at `server_url`; everybody is let in as that URL's user."""

    def __init__(self, server_url: str) -> None:
        super().__init__()
        package = unpacked("pgbouncer")
        self.account = postgres_binaries()[1]  # it refuses to run as root, too
        self.environment = package.environment
        self._program = package.program("pgbouncer")
        self._server_url = server_url
        server = urlsplit(server_url)
        self._configuration = self.folder / "pgbouncer.ini"
        self._configuration.write_text(
            _CONFIGURATION.format(
                host=server.hostname,
                port=server.port,
                user=server.username,
                listen_port=self.port,
                pool_size=POOL_SIZE,
            )
        )
        self.folder.chmod(0o755)

    def url_for(self, database_url: str) -> str:
        """The same database of the server, through the pooler."""
        parts = urlsplit(database_url)
        return parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.port}").geturl()

    def transactions(self, database_url: str) -> int:
        """How many it has carried for this database."""
        with psycopg.connect(self._url_of("pgbouncer"), autocommit=True, row_factory=dict_row) as console:
            totals = console.execute("SHOW STATS_TOTALS").fetchall()
        name = urlsplit(database_url).path.lstrip("/")
        return sum(int(row["xact_count"]) for row in totals if row["database"] == name)

    def _url_of(self, database: str) -> str:
        return self.url_for(urlsplit(self._server_url)._replace(path=f"/{database}").geturl())

    def _command(self) -> Sequence[str]:
        return [str(self._program), str(self._configuration)]

    def _answers(self) -> bool:
        return postgres_answers(self.url_for(self._server_url))
