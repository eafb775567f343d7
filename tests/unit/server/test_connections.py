"""Which connection makes room for a new one, and what the log says of it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import cast

import attrs
import pytest
from structlog.testing import capture_logs

from cronhook_server import connections
from cronhook_server.connections import Connection, ConnectionBounds, Connections

NOW = 1000.0


@attrs.define
class Transport:
    """Of a connection that has this much of its answer left to write."""

    unwritten: int = 0
    aborted: bool = False

    def get_write_buffer_size(self) -> int:
        return self.unwritten

    def abort(self) -> None:
        self.aborted = True


def admitted(of: Connections, address: str, *, unwritten: int = 0) -> tuple[Connection, Transport]:
    """A connection that is set up."""
    connection, transport = of.admit(address, NOW), Transport(unwritten)
    assert connection is not None
    connection.transport = cast("connections.asyncio.Transport", transport)
    return connection, transport


def test_at_the_bound_the_connection_that_is_idle_for_longest_is_closed() -> None:
    kept = Connections(ConnectionBounds(total=3))
    first, first_transport = admitted(kept, "192.0.2.1")
    _, second_transport = admitted(kept, "192.0.2.2")
    admitted(kept, "192.0.2.3")
    kept.request_began(first)
    kept.request_ended(first)
    assert kept.admit("192.0.2.4", NOW) is not None
    assert (first_transport.aborted, second_transport.aborted) == (False, True)
    assert len(kept) == 3


def test_where_every_connection_has_a_request_under_way_the_new_one_is_refused() -> None:
    kept = Connections(ConnectionBounds(total=2))
    busy = [admitted(kept, "192.0.2.1"), admitted(kept, "192.0.2.2")]
    for connection, _ in busy:
        kept.request_began(connection)
    assert kept.admit("192.0.2.3", NOW) is None
    kept.request_ended(busy[0][0])
    assert kept.admit("192.0.2.3", NOW) is not None
    assert [transport.aborted for _, transport in busy] == [True, False]


def test_an_answer_that_is_not_written_yet_is_not_cut_off() -> None:
    kept = Connections(ConnectionBounds(total=2))
    _, unread = admitted(kept, "192.0.2.1", unwritten=1)
    assert kept.admit("192.0.2.2", NOW) is not None, "and it is not set up yet"
    assert kept.admit("192.0.2.3", NOW) is None
    assert not unread.aborted


def test_a_client_at_its_bound_closes_only_its_own() -> None:
    kept = Connections(ConnectionBounds(total=10, per_client=2))
    _, other = admitted(kept, "192.0.2.1")
    own = [admitted(kept, "192.0.2.2") for _ in range(2)]
    assert kept.admit("192.0.2.2", NOW) is not None
    assert (other.aborted, own[0][1].aborted, own[1][1].aborted) == (False, True, False)
    assert len(kept) == 3


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
    ],
)
def test_a_client_is_an_address_or_a_network_of_ipv6(first: str, second: str, *, same: bool) -> None:
    kept = Connections(ConnectionBounds(per_client=1))
    admitted(kept, first)
    assert (kept.admit(second, NOW) is None or len(kept) == 1) is same


def test_trusted_proxies_have_no_bound_of_their_own() -> None:
    kept = Connections(ConnectionBounds(total=3, per_client=1, exempt=(ip_network("192.0.2.0/24"),)))
    for _ in range(3):
        admitted(kept, "192.0.2.1")
    assert len(kept) == 3
    assert kept.admit("192.0.2.1", NOW) is not None
    assert len(kept) == 3, "but that of all holds"


def test_closed_connections_make_room() -> None:
    kept = Connections(ConnectionBounds(total=1, per_client=1))
    for _ in range(3):
        connection, transport = admitted(kept, "192.0.2.1")
        kept.remove(connection)
        kept.remove(connection)
        assert not transport.aborted
    assert len(kept) == 0


def test_a_request_that_outlives_its_connection_is_forgotten() -> None:
    kept = Connections(ConnectionBounds(total=1))
    connection, _ = admitted(kept, "192.0.2.1")
    kept.request_began(connection)
    kept.remove(connection)
    kept.request_ended(connection)
    _, transport = admitted(kept, "192.0.2.2")
    assert kept.admit("192.0.2.3", NOW) is not None
    assert transport.aborted


def test_the_log_says_so_once_an_episode() -> None:
    kept = Connections(ConnectionBounds(total=1, per_client=1))
    times = [0, 1, 30, 89, 89 + connections.EPISODE_SECONDS, 90 + 2 * connections.EPISODE_SECONDS]
    admitted(kept, "192.0.2.1")
    with capture_logs() as lines:
        for at in times:
            kept.admit("192.0.2.1", NOW + at)
    assert [line["event"] for line in lines] == ["connections_limited"] * 2
    assert lines[0] == {
        "event": "connections_limited",
        "log_level": "warning",
        "bound": "1 connections of one client",
        "client": "192.0.2.1",
        "open": 1,
    }
