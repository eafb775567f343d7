"""No request leaves for an address that is not public, whichever way it comes in."""

import asyncio
from ipaddress import ip_address
from statistics import median

import pytest
from yarl import URL

from cronhook_core.backends.http import guard
from cronhook_core.backends.http.post import Destination
from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain import callback_url, target_policy
from cronhook_core.domain.addresses import AllowedTargets, DeniedTargets
from cronhook_core.domain.webhook import Outcome, WebhookResult
from tests.integration.sender.connections import Connects
from tests.integration.sender.requests import post, timed
from tests.integration.sender.stub_resolver import StubResolver
from tests.receiver import Receiver
from tests.unit.targets.urls import REFUSED

PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "2606:4700::1111"


def unchecked(url: str) -> Destination:
    return Destination.of(URL(url))


def says_no_address(result: WebhookResult) -> bool:
    return not any(character.isdigit() for character in result.error or "")


@pytest.fixture
def strict(names: StubResolver) -> AiohttpSender:
    """Allows nothing beside the public addresses; to be entered."""
    return AiohttpSender(AllowedTargets(), resolver=names)


@pytest.mark.parametrize(
    "answer",
    [
        ["10.0.0.5"],
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["100.100.100.200"],
        ["168.63.129.16"],
        ["0.0.0.0"],
        ["::1"],
        ["::"],
        ["fe80::1"],
        ["fd00:ec2::254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:7f00:1::"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [OTHER_PUBLIC, "::1"],
        [*[PUBLIC] * 15, "10.0.0.1"],
        [],
    ],
    ids=" ".join,
)
async def test_names_are_blocked_by_any_of_their_addresses(
    strict: AiohttpSender, names: StubResolver, connects: Connects, answer: list[str]
) -> None:
    names.answer("good.test", answer)
    async with strict as sender:
        result = await sender(post("http://good.test/hook"))
    assert (result.outcome, result.permanent) == (Outcome.BLOCKED, False)
    assert says_no_address(result)
    assert connects.targets == []


async def test_public_addresses_are_connected_to(
    strict: AiohttpSender, names: StubResolver, connects: Connects
) -> None:
    names.answer("good.test", [PUBLIC, OTHER_PUBLIC])
    async with strict as sender:
        result = await sender(post("https://good.test:8443/hook"))
    assert result.outcome is Outcome.CONNECT_ERROR
    assert result.error == "no connection to the receiver: connection refused"
    assert set(connects.targets) == {(PUBLIC, 8443), (OTHER_PUBLIC, 8443)}
    assert names.lookups == {"good.test": 1}


async def test_a_name_that_changes_its_answer_between_attempts(
    strict: AiohttpSender, names: StubResolver, connects: Connects
) -> None:
    names.answer("good.test", [PUBLIC], ["127.0.0.1"])
    async with strict as sender:
        assert (await sender(post("http://good.test/"))).outcome is Outcome.CONNECT_ERROR
        assert (await sender(post("http://good.test/"))).outcome is Outcome.BLOCKED
    assert connects.targets == [(PUBLIC, 80)]
    assert names.lookups == {"good.test": 2}, "one look-up an attempt, and nothing remembered"


async def test_a_name_is_not_looked_up_between_check_and_connection(
    sender: AiohttpSender, names: StubResolver, connects: Connects, receiver: Receiver
) -> None:
    names.answer("good.test", ["127.0.0.1"], ["10.0.0.1"])
    result = await sender(post(f"http://good.test:{receiver.port}/"))
    assert result.outcome is Outcome.SUCCEEDED
    assert connects.targets == [("127.0.0.1", receiver.port)]
    assert receiver.arrivals[0].headers["host"] == f"good.test:{receiver.port}"


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize("url", REFUSED)
async def test_what_creation_refuses_is_not_sent_either(
    strict: AiohttpSender, names: StubResolver, connects: Connects, url: str
) -> None:
    async with strict as sender:
        result = await sender(post(url))
    assert (result.outcome, result.permanent) == (Outcome.BLOCKED, True)
    assert connects.targets == []
    assert names.lookups.total() == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://10.0.0.1:8080/",
        "http://169.254.169.254/latest/",
        "https://192.168.1.1/",
        "http://93.184.215.14:6379/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fe80::1]/",
    ],
)
async def test_the_socket_refuses_literal_addresses_by_itself(
    strict: AiohttpSender, connects: Connects, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Literal addresses never reach a resolver: here, with the check of the URL gone, only the socket is left."""
    monkeypatch.setattr(strict, "_destination", unchecked)
    async with strict as sender:
        result = await sender(post(url))
    assert result.outcome is Outcome.BLOCKED
    assert connects.targets == []


@pytest.mark.parametrize("url", ["http://127.1/", "http://2130706433/", "http://0/"])
async def test_numeric_names_do_not_get_through_without_the_check_of_the_url(
    strict: AiohttpSender, connects: Connects, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(strict, "_destination", unchecked)
    async with strict as sender:
        assert (await sender(post(url))).outcome is not Outcome.SUCCEEDED
    assert connects.targets == []


async def test_the_socket_refuses_what_the_resolver_let_through(
    strict: AiohttpSender, connects: Connects, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def careless(*_: object, **__: object) -> list[object]:
        return [guard._resolved("good.test", 80, ip_address(text)) for text in ("10.0.0.1", "::1")]

    monkeypatch.setattr(guard.GuardedResolver, "resolve", careless)
    async with strict as sender:
        assert (await sender(post("http://good.test/"))).outcome is Outcome.BLOCKED
    assert connects.targets == []


async def test_a_connection_that_leads_elsewhere_is_dropped_unused(
    sender: AiohttpSender, names: StubResolver, connects: Connects, receiver: Receiver
) -> None:
    names.answer("good.test", [PUBLIC])
    connects.route = lambda address: ("127.0.0.1", address[1])
    result = await sender(post(f"http://good.test:{receiver.port}/"))
    assert result.outcome is Outcome.BLOCKED
    assert "another address" in (result.error or "")
    assert receiver.arrivals == []


async def test_sixteen_addresses_at_most(strict: AiohttpSender, names: StubResolver, connects: Connects) -> None:
    names.answer("good.test", [f"93.184.215.{n}" for n in range(40)])
    async with strict as sender:
        await sender(post("http://good.test/", seconds=5))
    assert {host for host, _ in connects.targets} == {f"93.184.215.{n}" for n in range(16)}


async def test_a_dead_address_does_not_stop_the_next(
    sender: AiohttpSender, names: StubResolver, receiver: Receiver
) -> None:
    names.answer("good.test", ["127.0.0.2", "127.0.0.1"])
    assert (await sender(post(f"http://good.test:{receiver.port}/"))).outcome is Outcome.SUCCEEDED


async def test_ports_of_other_services_need_their_own_entry(connects: Connects, names: StubResolver) -> None:
    names.answer("good.test", ["10.0.0.1"])
    async with AiohttpSender(AllowedTargets.parse("10.0.0.0/8:8080, 10.0.0.2/32:6379"), resolver=names) as sender:
        assert (await sender(post("http://good.test:6379/"))).outcome is Outcome.BLOCKED
    assert connects.targets == []


async def test_what_is_denied_is_blocked_though_it_is_open(
    names: StubResolver, connects: Connects, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.answer("good.test", [PUBLIC])
    names.answer("here.test", ["127.0.0.1"])
    allowed, denied = AllowedTargets.parse("127.0.0.0/8"), DeniedTargets.parse(f"127.0.0.1:{receiver.port}, {PUBLIC}")
    entered = AiohttpSender(allowed, denied=denied, resolver=names)
    monkeypatch.setattr(entered, "_destination", unchecked)
    async with entered as sender:
        for host in (f"good.test:{receiver.port}", f"here.test:{receiver.port}", f"127.0.0.1:{receiver.port}", PUBLIC):
            result = await sender(post(f"http://{host}/"))
            assert (result.outcome, result.permanent) == (Outcome.BLOCKED, False)
            assert result.error == "the receiver's address is denied by the operator (CRONHOOK_DENIED_TARGETS)"
        assert (await sender(post(f"http://127.0.0.2:{receiver.port}/"))).outcome is Outcome.CONNECT_ERROR
    assert connects.targets == [("127.0.0.2", receiver.port)]


@pytest.mark.parametrize("host", ["own.test", "127.0.0.1"])
async def test_addresses_of_this_machine_need_to_be_opened(
    names: StubResolver, connects: Connects, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Real sockets: here the loopback stands for a public address of the machine."""
    monkeypatch.setattr(target_policy, "is_public", lambda _: True)
    monkeypatch.setattr(callback_url, "is_public", lambda _: True)
    names.answer("own.test", ["127.0.0.1"])
    request = post(f"http://{host}:{receiver.port}/")
    async with AiohttpSender(resolver=names) as sender:
        result = await sender(request)
    assert result.outcome is Outcome.BLOCKED
    assert "this machine's own" in (result.error or "")
    assert says_no_address(result)
    assert (connects.targets, receiver.arrivals) == ([], [])
    async with AiohttpSender(AllowedTargets.parse("127.0.0.1"), resolver=names) as sender:
        assert (await sender(request)).outcome is Outcome.SUCCEEDED


async def test_localhost_needs_no_name_server(
    sender: AiohttpSender, names: StubResolver, connects: Connects, receiver: Receiver
) -> None:
    result = await sender(post(f"http://localhost:{receiver.port}/"))
    assert result.outcome is Outcome.SUCCEEDED
    assert connects.targets[0] == ("127.0.0.1", receiver.port)
    assert names.lookups.total() == 0
    assert receiver.arrivals[0].headers["host"] == f"localhost:{receiver.port}"


async def test_localhost_stands_for_what_is_open_of_it(
    names: StubResolver, connects: Connects, receiver: Receiver
) -> None:
    async with AiohttpSender(AllowedTargets.parse(f"127.0.0.1/32:{receiver.port}"), resolver=names) as sender:
        assert (await sender(post(f"http://localhost:{receiver.port}/"))).outcome is Outcome.SUCCEEDED
        assert (await sender(post(f"http://a.localhost:{receiver.port}/"))).outcome is Outcome.SUCCEEDED
        assert (await sender(post(f"http://localhost:{receiver.port + 1}/"))).outcome is Outcome.BLOCKED
    assert {host for host, _ in connects.targets} == {"127.0.0.1"}


async def test_names_that_do_not_exist(sender: AiohttpSender) -> None:
    result = await sender(post("http://nowhere.test/"))
    assert (result.outcome, result.error) == (Outcome.DNS_ERROR, "the name of the receiver does not exist")


async def test_a_name_server_that_never_answers(sender: AiohttpSender, names: StubResolver) -> None:
    names.answer("tarpit.test", None)
    result, took = await timed(sender, post("http://tarpit.test/", seconds=0.3))
    assert result.outcome is Outcome.DNS_ERROR
    assert result.error == "the receiver's name was not resolved within 0.3 s"
    assert took.between(0.29, 0.55)


async def test_looking_up_has_a_limit_of_its_own(
    sender: AiohttpSender, names: StubResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "RESOLVE_SECONDS", 0.2)
    names.answer("tarpit.test", None)
    result, took = await timed(sender, post("http://tarpit.test/", seconds=10))
    assert result.outcome is Outcome.DNS_ERROR
    assert took.between(0.19, 0.45)


async def test_questions_at_the_same_moment_are_one(sender: AiohttpSender, names: StubResolver) -> None:
    names.answer("good.test", [])
    results = await asyncio.gather(*(sender(post("http://good.test/")) for _ in range(50)))
    assert {result.outcome for result in results} == {Outcome.BLOCKED}
    assert names.lookups == {"good.test": 1}


async def test_a_caller_that_gives_up_does_not_take_the_others_along(
    sender: AiohttpSender, names: StubResolver, receiver: Receiver
) -> None:
    names.answer("good.test", ["127.0.0.1"])
    url = f"http://good.test:{receiver.port}/"
    impatient, patient = (asyncio.ensure_future(sender(post(url))) for _ in range(2))
    while not names.lookups:
        await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).outcome is Outcome.SUCCEEDED
    assert impatient.cancelled()
    assert names.lookups == {"good.test": 1}


async def test_tar_pits_do_not_hold_up_good_names(
    sender: AiohttpSender, names: StubResolver, receiver: Receiver
) -> None:
    for number in range(1000):
        names.answer(f"tarpit{number}.test", None)
    names.answer("good.test", ["127.0.0.1"])
    pits = [asyncio.ensure_future(sender(post(f"http://tarpit{n}.test/", seconds=1.0))) for n in range(1000)]
    while names.lookups.total() < 1000:
        await asyncio.sleep(0)
    good = [await timed(sender, post(f"http://good.test:{receiver.port}/")) for _ in range(20)]
    assert all(result.outcome is Outcome.SUCCEEDED for result, _ in good)
    assert median(took.seconds for _, took in good) < 0.1
    assert {result.outcome for result in await asyncio.gather(*pits)} == {Outcome.DNS_ERROR}
