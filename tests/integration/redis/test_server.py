"""What a server may be, and what it may do to its data, while it is there."""

import asyncio
import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.redis.clock import RedisClock
from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.backends.redis.lock import RedisLock
from cronhook_core.backends.redis.queue import RedisQueue
from cronhook_core.backends.redis.rate_limiter import RedisRateLimiter
from cronhook_core.errors import LockUnavailable, QueueUnavailable
from cronhook_core.ports.lock import Held, Lease
from cronhook_core.ports.rate_limiter import Rate
from tests.integration.redis.expectations import AT_ONCE, LONG, NOW, Connect, blocked_clients, message
from tests.integration.redis.proxy import Proxy
from tests.services import ValkeyServer

OLDEST_SERVER = (6, 2)


@pytest.fixture
def raw(redis_url: str) -> redis.Redis:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def shared(redis_url: str, connect: Connect) -> RedisConnection:
    """A connection to the server of all tests."""
    return connect(redis_url)


async def use_everything(connection: RedisConnection) -> None:
    queue, lock = RedisQueue(connection), RedisLock(connection)
    await queue.push([message(number) for number in range(3)], NOW)
    await queue.pop(1, AT_ONCE, NOW)
    waiting = asyncio.create_task(queue.wait(LONG))
    await queue.wait(AT_ONCE)
    await queue.announce(NOW)
    assert await waiting == NOW
    lease = await lock.acquire("leader", LONG, NOW)
    assert isinstance(lease, Lease)
    assert isinstance(await lock.acquire("leader", LONG, NOW), Held)
    assert await lock.renew(lease, LONG, NOW)
    await lock.wait_released("leader", AT_ONCE)


async def test_everything_carries_the_prefix(redis_url: str, connect: Connect, raw: redis.Redis) -> None:
    await use_everything(connect(redis_url, prefix="my app"))
    assert sorted(raw.keys()) == [b"my app:lock:leader", b"my app:queue"]
    assert {b"my app:due", b"my app:released"} <= set(raw.pubsub_channels("my app*"))


async def test_prefixes_do_not_see_each_other(redis_url: str, connect: Connect) -> None:
    one, other = connect(redis_url, prefix="one"), connect(redis_url, prefix="other")
    await RedisQueue(one).push([message()], NOW)
    assert await RedisQueue(other).depth() == 0
    assert isinstance(await RedisLock(one).acquire("leader", LONG, NOW), Lease)
    assert isinstance(await RedisLock(other).acquire("leader", LONG, NOW), Lease)


async def test_no_command_is_younger_than_the_oldest_server_supported(
    valkey: ValkeyServer, connection: RedisConnection
) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.config_resetstat()
        await use_everything(connection)
        await RedisQueue(connection).pop(10, timedelta(seconds=0.01), NOW)
        await RedisQueue(connection).pop(10, timedelta(seconds=0.01), NOW)
        await connection.may_delete_keys()
        used = {name.removeprefix("cmdstat_").partition("|")[0] for name in client.info("commandstats")}
        docs = client.execute_command("COMMAND DOCS", *used)
    since = {name.decode(): tuple(int(part) for part in doc[b"since"].split(b".")[:2]) for name, doc in docs.items()}
    assert {"brpop", "eval", "lpush", "subscribe"} <= since.keys()
    assert {name: version for name, version in since.items() if version > OLDEST_SERVER} == {}


async def test_flushall_frees_the_lock_and_empties_the_queue(shared: RedisConnection, raw: redis.Redis) -> None:
    queue, lock = RedisQueue(shared), RedisLock(shared)
    await queue.push([message()], NOW)
    lease = await lock.acquire("leader", LONG, NOW)
    assert isinstance(lease, Lease)
    raw.flushall()
    second = await lock.acquire("leader", LONG, NOW)
    assert isinstance(second, Lease)
    assert not await lock.renew(lease, LONG, NOW)
    await lock.release(lease, NOW)
    assert await lock.renew(second, LONG, NOW)
    assert list(await queue.pop(5, AT_ONCE, NOW)) == []


async def test_flushall_under_use_fails_no_call(shared: RedisConnection, raw: redis.Redis) -> None:
    queue, lock = RedisQueue(shared), RedisLock(shared)
    popped = []

    async def pop_until_last() -> None:
        while message(99) not in popped:
            popped.extend(await queue.pop(3, timedelta(seconds=5), NOW))

    popping = asyncio.create_task(pop_until_last())
    for number in range(99):
        await queue.push([message(number)], NOW)
        answer = await lock.acquire("leader", LONG, NOW)
        await asyncio.to_thread(raw.flushall)
        if isinstance(answer, Lease):
            await lock.renew(answer, LONG, NOW)
    await queue.push([message(99)], NOW)
    await asyncio.wait_for(popping, 10.0)
    assert len(popped) == len(set(popped))


async def test_a_full_memory_refuses_only_what_takes_space(
    valkey: ValkeyServer, connection: RedisConnection, caplog: pytest.LogCaptureFixture
) -> None:
    queue, lock = RedisQueue(connection), RedisLock(connection)
    await queue.push([message(1), message(2)], NOW)
    lease = await lock.acquire("leader", LONG, NOW)
    assert isinstance(lease, Lease)
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("maxmemory", 1)
        for _ in range(2):
            await queue.push([message(3)], NOW)
        with pytest.raises(LockUnavailable):
            await lock.acquire("another", LONG, NOW)
        assert await lock.renew(lease, LONG, NOW)
        assert list(await queue.pop(5, AT_ONCE, NOW)) == [message(1), message(2)]
        await queue.announce(NOW)
        await lock.release(lease, NOW)
        client.config_set("maxmemory", 0)
    assert caplog.text.count("Redis is full") == 1
    await queue.push([message(4)], NOW)
    assert list(await queue.pop(5, AT_ONCE, NOW)) == [message(4)]
    assert isinstance(await lock.acquire("leader", LONG, NOW), Lease)


@pytest.mark.parametrize(
    ("policy", "may_delete"),
    [("noeviction", False), ("allkeys-lru", True), ("volatile-ttl", True), ("volatile-lru", True)],
)
async def test_a_policy_that_may_delete_keys_is_seen(
    valkey: ValkeyServer, connect: Connect, policy: str, may_delete: bool
) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("maxmemory-policy", policy)
    assert await connect(valkey.url).may_delete_keys() is may_delete


async def test_foreign_messages_are_dropped_and_counted(
    shared: RedisConnection, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    queue = RedisQueue(shared)
    raw.lpush("cronhook:queue", b"2 of a later version", b"", b"\xff", b"1 a b c not-a-number 1 host", b"1 a b c 9e99")
    raw.lpush("cronhook:queue", b"1 a b c 99999999999999999999 1 host")
    await queue.push([message()], NOW)
    with caplog.at_level(logging.WARNING):
        assert list(await queue.pop(10, AT_ONCE, NOW)) == [message()]
    assert queue.dropped == 6
    assert "dropped 6 queue messages" in caplog.text


async def test_foreign_announcements_are_ignored(shared: RedisConnection, raw: redis.Redis) -> None:
    queue = RedisQueue(shared)
    waiting = asyncio.create_task(queue.wait(LONG))
    await queue.wait(AT_ONCE)
    for foreign in (b"soon", b"\xff", b"99999999999999999999"):
        raw.publish("cronhook:due", foreign)
    await queue.announce(NOW)
    assert await waiting == NOW


async def test_a_lock_key_without_an_end_gets_one(shared: RedisConnection, raw: redis.Redis) -> None:
    lock = RedisLock(shared)
    raw.set("cronhook:lock:leader", "for ever")
    answer = await lock.acquire("leader", timedelta(milliseconds=50), NOW)
    assert answer == Held(remaining=timedelta(milliseconds=50))
    await asyncio.sleep(0.1)
    assert isinstance(await lock.acquire("leader", LONG, NOW), Lease)


async def test_a_release_between_being_refused_and_waiting_is_noticed(redis_url: str, connect: Connect) -> None:
    leader, follower = RedisLock(connect(redis_url)), RedisLock(connect(redis_url))
    await follower.wait_released("leader", AT_ONCE)
    lease = await leader.acquire("leader", LONG, NOW)
    assert isinstance(lease, Lease)
    assert isinstance(await follower.acquire("leader", LONG, NOW), Held)
    await leader.release(lease, NOW)
    await asyncio.wait_for(follower.wait_released("leader", LONG), 5.0)


async def test_a_waiting_pop_takes_the_whole_batch(shared: RedisConnection) -> None:
    pushed = [message(number) for number in range(50)]
    popping = asyncio.create_task(RedisQueue(shared).pop(50, LONG, NOW))
    await blocked_clients(shared, 1)
    await RedisQueue(shared).push(pushed, NOW)
    assert list(await popping) == pushed


async def test_the_clock_is_that_of_redis(shared: RedisConnection, raw: redis.Redis) -> None:
    clock = RedisClock(shared, SystemClock())
    await clock.sync()
    seconds, microseconds = raw.time()
    apart = clock.now() - datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
    assert abs(apart) < timedelta(seconds=0.2)


async def test_many_calls_share_few_connections(shared: RedisConnection, raw: redis.Redis) -> None:
    before = raw.info("clients")["connected_clients"]
    queue = RedisQueue(shared)
    depths = await asyncio.gather(*(queue.depth() for _ in range(300)))
    assert depths == [0] * 300
    assert raw.info("clients")["connected_clients"] - before <= 64


async def test_a_push_beyond_one_command_arrives_in_order(shared: RedisConnection) -> None:
    pushed = [message(number) for number in range(2500)]
    await RedisQueue(shared, bound=2200).push(pushed, NOW)
    assert list(await RedisQueue(shared).pop(5000, AT_ONCE, NOW)) == pushed[300:]


async def test_a_wrong_password_is_unavailable_and_not_told(valkey: ValkeyServer, connect: Connect) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("requirepass", "the right one")
    host = valkey.url.removeprefix("redis://")
    with pytest.raises(QueueUnavailable) as refused:
        await connect(f"redis://:the-wrong-one@{host}").ping()
    assert "the-wrong-one" not in str(refused.value)
    await connect(f"redis://:the%20right%20one@{host}").ping()


async def test_a_unix_socket(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    with ValkeyServer(settings={"unixsocket": str(path)}):
        await use_everything(connect(f"unix://{path}?db=0"))


async def test_tls(connect: Connect, redis_url: str, tmp_path: Path) -> None:
    port = int(redis_url.rpartition(":")[2].partition("/")[0])
    context, authority = certified_context(tmp_path)
    async with Proxy(port, context) as proxy:
        await use_everything(connect(f"rediss://localhost:{proxy.port}/0?ssl_ca_certs={authority}"))
        with pytest.raises(QueueUnavailable, match=r"(?i)certificate"):
            await connect(f"rediss://localhost:{proxy.port}/0").ping()


async def test_a_clock_that_goes_back_locks_nobody_out(shared: RedisConnection, raw: redis.Redis) -> None:
    """As after a failover to a Redis whose clock is an hour behind."""
    limiter, rate = RedisRateLimiter(shared), Rate(burst=2, per=timedelta(minutes=1))
    assert await limiter.take("caller", rate) is None
    (key,) = raw.keys("*rate*")
    seconds, microseconds = raw.time()
    raw.set(key, str((seconds + 3600) * 1_000_000 + microseconds), keepttl=True)
    assert [await limiter.take("caller", rate) for _ in range(2)] == [None, None]
    assert await limiter.take("caller", rate) is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "localhost:6379",
        "",
        "redis://localhost:port",
        "redis://localhost?no_such_option=1",
        "rediss://localhost?ssl_cert_reqs=CERT_NONE",
        "redis://localhost?encoding=bogus",
        "redis://localhost?encoding=base64",
        "redis://localhost?encoding=utf-16",
        "redis://localhost?credential_provider=x",
    ],
)
def test_a_url_that_can_never_work_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        RedisConnection.open(url)


def certified_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for `localhost`, and the file of the authority that clients must trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / "authority.pem", folder / "key.pem"
    authority.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return context, authority
