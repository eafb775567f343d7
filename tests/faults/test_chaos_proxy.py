"""The chaos proxy before a server that answers every line with the same line."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.faults.chaos_proxy import ChaosBoard, ChaosProxy, Mode


class EchoServer(socketserver.ThreadingTCPServer):
    """Remembers the lines it got."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.lines: list[bytes] = []


class EchoHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        try:
            for line in self.rfile:
                self.server.lines.append(line)  # type: ignore[attr-defined]
                self.wfile.write(line)
        except ConnectionError:
            pass


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def board() -> Iterator[ChaosBoard]:
    with ChaosBoard() as running:
        yield running


@pytest.fixture
def proxy(server: EchoServer, board: ChaosBoard) -> ChaosProxy:
    return board.proxy("a client", "echo", url=f"tcp://127.0.0.1:{server.server_address[1]}")


class Client:
    def __init__(self, proxy: ChaosProxy) -> None:
        self._socket = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
        self._file = self._socket.makefile("rb")

    def say(self, line: bytes) -> None:
        self._socket.sendall(line + b"\n")

    def hear(self) -> bytes:
        return self._file.readline().rstrip(b"\n")

    def ask(self, line: bytes) -> bytes:
        self.say(line)
        return self.hear()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def client(proxy: ChaosProxy) -> Iterator[Client]:
    with Client(proxy) as connected:
        yield connected


def test_it_carries(client: Client, proxy: ChaosProxy) -> None:
    assert client.ask(b"one") == b"one"
    assert client.ask(b"x" * 200_000) == b"x" * 200_000
    assert proxy.hits == {"connected": 1}


def test_it_refuses_and_listens_again(client: Client, proxy: ChaosProxy) -> None:
    assert client.ask(b"one") == b"one"
    proxy.set(Mode.REFUSE)
    with pytest.raises(ConnectionRefusedError):
        Client(proxy)
    assert client.ask(b"two") == b"two"
    proxy.set(Mode.PASS)
    with Client(proxy) as other:
        assert other.ask(b"three") == b"three"


def test_it_cuts_what_is_connected(client: Client, proxy: ChaosProxy) -> None:
    assert client.ask(b"one") == b"one"
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        client.hear()
    assert proxy.hits["cut"] == 1


def test_a_black_hole_holds_what_it_gets(client: Client, proxy: ChaosProxy, server: EchoServer) -> None:
    proxy.set(Mode.BLACKHOLE)
    client.say(b"one")
    proxy.wait_for(Mode.BLACKHOLE)
    assert server.lines == []
    with Client(proxy) as other:
        other.say(b"two")
        proxy.wait_for(Mode.BLACKHOLE, 2)
        proxy.set(Mode.PASS)
        assert (client.hear(), other.hear()) == (b"one", b"two")


def test_it_delays_both_ways(client: Client, proxy: ChaosProxy) -> None:
    proxy.set(Mode.DELAY, seconds=0.1)
    began = time.monotonic()
    assert client.ask(b"one") == b"one"
    assert time.monotonic() - began >= 0.2
    assert proxy.hits[Mode.DELAY] == 2


def test_it_throttles_answers_of_all_connections_together(client: Client, proxy: ChaosProxy) -> None:
    proxy.set(Mode.THROTTLE, bytes_per_second=2_000_000)
    began = time.monotonic()
    with Client(proxy) as other:
        for one in (client, other):
            one.say(b"x" * 200_000)
        assert client.hear() == other.hear() == b"x" * 200_000
    assert time.monotonic() - began >= 0.2
    assert proxy.hits[Mode.THROTTLE] >= 2


def test_it_resets(client: Client, proxy: ChaosProxy, server: EchoServer) -> None:
    assert client.ask(b"one") == b"one"
    proxy.set(Mode.RESET)
    with pytest.raises(ConnectionResetError):
        client.ask(b"two")
    with pytest.raises(ConnectionResetError), Client(proxy) as other:  # it may come while it connects
        other.ask(b"three")
    assert server.lines == [b"one\n"]
    assert proxy.hits[Mode.RESET] == 2


def test_it_drops_answers_to_requests_that_went_on(client: Client, proxy: ChaosProxy, server: EchoServer) -> None:
    proxy.set(Mode.DROP_ANSWERS)
    with pytest.raises(ConnectionResetError):
        client.ask(b"one")
    assert server.lines == [b"one\n"]
    assert proxy.hits[Mode.DROP_ANSWERS] == 1


def test_it_loses_the_answer_to_one_request(client: Client, proxy: ChaosProxy, server: EchoServer) -> None:
    proxy.lose_answer(b"UPDATE")
    assert client.ask(b"SELECT 1") == b"SELECT 1"
    with pytest.raises(ConnectionResetError):
        client.ask(b"UPDATE 1")
    with Client(proxy) as again:
        assert again.ask(b"UPDATE 1") == b"UPDATE 1"
    assert server.lines == [b"SELECT 1\n", b"UPDATE 1\n", b"UPDATE 1\n"]


def test_a_server_that_is_away_ends_connections(proxy: ChaosProxy, server: EchoServer) -> None:
    server.server_close()
    with Client(proxy) as client:
        assert client.hear() == b""


def test_waiting_for_what_does_not_happen_ends(proxy: ChaosProxy) -> None:
    with pytest.raises(TimeoutError):
        proxy.wait_for("cut", timeout=0.05)


def test_a_board_finds_its_proxies(board: ChaosBoard, proxy: ChaosProxy, server: EchoServer) -> None:
    url = f"tcp://127.0.0.1:{server.server_address[1]}"
    other = board.proxy("another client", "echo", url=url)
    assert board.proxy("a client", "echo", url=url) is proxy
    assert board.matching(lambda name: name[0] == "another client") == [other]
    assert board.matching(lambda name: "echo" in name) == [proxy, other]


def test_urls_lead_through_it(proxy: ChaosProxy) -> None:
    assert proxy.url_for("postgresql://me:pw@db:5432/x?sslmode=disable") == (
        f"postgresql://me:pw@127.0.0.1:{proxy.port}/x?sslmode=disable"
    )
    assert proxy.url_for("redis://localhost:6379/0") == f"redis://127.0.0.1:{proxy.port}/0"


def test_a_commit_whose_answer_is_lost(board: ChaosBoard, postgres_url: str) -> None:
    """What the whole tool is for: the statement took place, and its client does not know."""
    proxy = board.proxy("a client", "postgres", url=postgres_url)
    with psycopg.connect(proxy.url_for(postgres_url), autocommit=True) as connection:
        proxy.lose_answer(b"CREATE TABLE told_nobody")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("CREATE TABLE told_nobody ()")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT to_regclass('told_nobody') IS NOT NULL").fetchone() == (True,)


def test_a_prepared_statement_whose_answer_is_lost(board: ChaosBoard, postgres_url: str) -> None:
    """Its text went to the server long before."""
    proxy = board.proxy("a client", "postgres", url=postgres_url)
    count = "INSERT INTO counted SELECT %s"
    with psycopg.connect(proxy.url_for(postgres_url), autocommit=True, prepare_threshold=0) as connection:
        connection.execute("CREATE TABLE counted (number int)")
        connection.execute(count, (1,))
        proxy.lose_answer(b"INTO counted")
        assert connection.execute("SELECT number FROM counted WHERE number < %s", (9,)).fetchall() == [(1,)]
        with pytest.raises(psycopg.OperationalError):
            connection.execute(count, (2,))
    with psycopg.connect(proxy.url_for(postgres_url), autocommit=True, prepare_threshold=0) as connection:
        proxy.lose_answer(b"INTO counted")
        with pytest.raises(psycopg.OperationalError):
            connection.execute(count, (3,))
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT number FROM counted ORDER BY number").fetchall() == [(1,), (2,), (3,)]
