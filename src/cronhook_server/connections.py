"""How many connections a server keeps, so that those without a key leave the process its file descriptors.

It knows connections and requests and nothing of HTTP: it holds whatever parses the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import islice

import structlog
from attrs import define, frozen

from cronhook_core.domain.addresses import IPNetwork
from cronhook_server.client_address import client_of_peer

EPISODE_SECONDS = 60.0
"""A bound that was not met for so long is logged anew."""
_MOST_LOOKED_AT = 64

_log = structlog.get_logger("cronhook")


@frozen(kw_only=True)
class ConnectionBounds:
    """At most ``total`` connections at once, and ``per_client`` from one client unless it is in ``exempt``.

    A client is an IPv4 address, or the /64 of an IPv6 address.
    """

    total: int = 65_536
    per_client: int = 256
    exempt: tuple[IPNetwork, ...] = ()


@define(eq=False)
class Connection:
    """``client`` None: it counts for no client. ``transport`` None: it is being set up."""

    client: str | None
    transport: asyncio.Transport | None = None
    requests_under_way: int = 0

    @property
    def is_idle(self) -> bool:
        """Nothing is being answered: the headers of a request are not complete, or the last answer has been written."""
        return (
            self.requests_under_way == 0 and self.transport is not None and self.transport.get_write_buffer_size() == 0
        )


class Connections:
    """The connections of one server.

    At a bound a new connection takes the place of the one that has been idle for longest. Where none is idle the new
    one is refused. The log says so once, until the bound was not met for `EPISODE_SECONDS`. ``times_limited`` counts
    how often a bound was met.
    """

    def __init__(self, bounds: ConnectionBounds) -> None:
        self._bounds = bounds
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # those without a request under way, the longest first
        self._of_client: dict[str, dict[Connection, None]] = {}
        self._limited_at: float | None = None
        self.times_limited = 0

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, address: str, now: float) -> Connection | None:
        """The new connection from ``address``, or None: it is to be closed."""
        client = client_of_peer(address, exempt=self._bounds.exempt)
        own = self._of_client.get(client, {}) if client is not None else {}
        if len(own) >= self._bounds.per_client:
            self.tell(now, f"{self._bounds.per_client} connections of one client", client=client)
            made_room = self._close_first_idle(own)
        elif len(self._open) >= self._bounds.total:
            self.tell(now, f"{self._bounds.total} connections in all")
            made_room = self._close_first_idle(islice(self._waiting, _MOST_LOOKED_AT))
        else:
            made_room = True
        return self._add(Connection(client)) if made_room else None

    def remove(self, connection: Connection) -> None:
        """It is closed. A repeat does nothing."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        if connection.client is not None and (own := self._of_client.get(connection.client)) is not None:
            own.pop(connection, None)
            if not own:
                del self._of_client[connection.client]

    def request_began(self, connection: Connection) -> None:
        connection.requests_under_way += 1
        self._waiting.pop(connection, None)

    def request_ended(self, connection: Connection) -> None:
        connection.requests_under_way -= 1
        if connection.requests_under_way == 0 and connection in self._open:
            self._waiting[connection] = None

    def tell(self, now: float, bound: str, *, client: str | None = None) -> None:
        """Log that a bound is met, once an episode."""
        if self._limited_at is None or now - self._limited_at > EPISODE_SECONDS:
            _log.warning("connections_limited", bound=bound, client=client, open=len(self._open))
        self._limited_at = now
        self.times_limited += 1

    def _add(self, connection: Connection) -> Connection:
        self._open.add(connection)
        self._waiting[connection] = None
        if connection.client is not None:
            self._of_client.setdefault(connection.client, {})[connection] = None
        return connection

    def _close_first_idle(self, candidates: Iterable[Connection]) -> bool:
        for connection in candidates:
            if connection.transport is not None and connection.is_idle:
                self.remove(connection)
                connection.transport.abort()
                return True
        return False
