"""The clients themselves: how they are made, what they share, what they show."""

import asyncio
import inspect
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from cronhook_client import (
    AsyncCronhook,
    ConfigurationError,
    ConnectionFailed,
    Cronhook,
    InsecureTransportWarning,
    NotFound,
    Response,
)
from cronhook_client.pages import AsyncPages, Pages
from tests.unit.client.bodies import HEALTH, JOB, page_of
from tests.unit.client.scripted_transport import AsyncScriptedTransport, ScriptedTransport, answer, problem

RESOURCES = ("executions", "health", "jobs", "keys", "logs", "schedules", "workspace")


def client_on(*outcomes: Any, **options: Any) -> tuple[Cronhook, ScriptedTransport]:
    transport = ScriptedTransport(*outcomes)
    return Cronhook("chk_1", transport=transport, **options), transport


def methods_of(resource: object) -> dict[str, Callable[..., Any]]:
    public = {name: getattr(resource, name) for name in dir(resource) if not name.startswith("_")}
    return {name: value for name, value in public.items() if callable(value)}


class TestParity:
    """Both clients offer the same, in the same words."""

    sync, async_ = Cronhook("k", transport=ScriptedTransport()), AsyncCronhook("k", transport=AsyncScriptedTransport())

    def test_the_clients(self) -> None:
        assert {name for name in vars(self.sync) if not name.startswith("_")} == set(RESOURCES)
        assert {name for name in vars(self.async_) if not name.startswith("_")} == set(RESOURCES)
        assert methods_of(self.sync).keys() == methods_of(self.async_).keys()
        for name in ("with_options", "__init__"):
            self.assert_same(getattr(Cronhook, name), getattr(AsyncCronhook, name))

    @pytest.mark.parametrize("resource", RESOURCES)
    def test_the_resources(self, resource: str) -> None:
        sync, async_ = getattr(self.sync, resource), getattr(self.async_, resource)
        assert type(async_).__name__ == f"Async{type(sync).__name__}"
        assert type(async_).__doc__ == type(sync).__doc__
        methods, async_methods = methods_of(sync), methods_of(async_)
        assert methods.keys() == async_methods.keys()
        for name, method in methods.items():
            self.assert_same(method, async_methods[name])
            assert inspect.getdoc(method) == inspect.getdoc(async_methods[name])
            assert inspect.getdoc(method), f"{resource}.{name} says nothing"
            lazy = "Pages" in inspect.signature(method).return_annotation
            assert inspect.iscoroutinefunction(async_methods[name]) is not lazy

    def assert_same(self, function: Callable[..., Any], async_function: Callable[..., Any]) -> None:
        assert plain(function) == plain(async_function)

    @pytest.mark.parametrize("resource", RESOURCES)
    def test_arguments_beside_ids_are_named(self, resource: str) -> None:
        for name, method in methods_of(getattr(self.sync, resource)).items():
            for parameter in inspect.signature(method).parameters.values():
                positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY
                assert positional == parameter.name.endswith("_id"), f"{resource}.{name}({parameter.name})"


def plain(function: Callable[..., Any]) -> str:
    """The signature in the words of the synchronous client."""
    return re.sub(r"\bAsync(?=Pages|LogPages|Transport)", "", str(inspect.signature(function)))


def test_parity_tells_pages_apart() -> None:
    def one(self: object, a: int) -> Pages[Any, Any]: ...  # type: ignore[empty-body]

    def other(self: object, a: int) -> AsyncPages[Any, Any]: ...  # type: ignore[empty-body]

    assert plain(one) == plain(other)


class TestMaking:
    def test_arguments_win_over_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CRONHOOK_API_KEY", "chk_of_the_variable")
        monkeypatch.setenv("CRONHOOK_BASE_URL", "https://variable/")
        for key, base_url, used in (
            (None, None, ("chk_of_the_variable", "https://variable/v1/jobs/j")),
            ("chk_of_the_argument", "https://argument", ("chk_of_the_argument", "https://argument/v1/jobs/j")),
        ):
            transport = ScriptedTransport(answer(200, JOB))
            Cronhook(key, base_url=base_url, transport=transport).jobs.get("j")
            assert (transport.requests[0].headers["x-api-key"], transport.requests[0].url) == used

    @pytest.mark.parametrize("client", [Cronhook, AsyncCronhook])
    @pytest.mark.parametrize("variable", [None, ""])
    def test_a_missing_key_names_argument_and_variable(
        self, client: type, variable: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if variable is not None:
            monkeypatch.setenv("CRONHOOK_API_KEY", variable)
        with pytest.raises(ConfigurationError, match=r"CRONHOOK_API_KEY: .*argument api_key"):
            client()

    @pytest.mark.parametrize("key", ["", "chk_1\n", "chk 1", "chk_ü", "chk_1\r\nx-evil: 1"])
    def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(self, key: str) -> None:
        with pytest.raises(ConfigurationError) as refused:
            Cronhook(key)
        assert "api_key" in str(refused.value)
        assert not key or key not in str(refused.value)

    @pytest.mark.parametrize(
        "base_url",
        [
            "localhost:8080",
            "ftp://host",
            "https://",
            "https://user:pw@host",
            "https://host?x=1",
            "https://host#x",
            "https://host/?",
            "https://host/#",
            "https://host:0",
            "https://host:99999",
            "https://[::1",
            "https://ho st",
            "https://host/\n",
            "https://a..b",
            "https://xn--",
        ],
    )
    def test_a_base_url_that_leads_nowhere_is_refused(self, base_url: str) -> None:
        with pytest.raises(ConfigurationError, match=r"CRONHOOK_BASE_URL: .*base_url") as refused:
            Cronhook("k", base_url=base_url)
        assert "pw" not in str(refused.value)

    @pytest.mark.parametrize("client", [Cronhook, AsyncCronhook])
    def test_a_key_that_would_cross_a_network_in_clear_is_warned_of(self, client: type) -> None:
        with pytest.warns(InsecureTransportWarning, match="http://api.example is not https") as warned:
            client("k", base_url="http://api.example")
        assert warned[0].filename == __file__

    @pytest.mark.parametrize(
        "base_url", ["https://api.example", "http://127.0.0.2:8080", "http://[::1]:8080", "http://localhost:8080"]
    )
    def test_tls_and_this_machine_are_not_warned_of(self, base_url: str) -> None:
        Cronhook("k", base_url=base_url)

    @pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": float("inf")}, {"max_retries": -1}])
    def test_numbers_that_mean_nothing_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(options))):
            Cronhook("k", **options)

    def test_the_key_is_not_shown(self) -> None:
        client, _ = client_on()
        assert repr(client) == "Cronhook(base_url='http://127.0.0.1:8080')"
        assert "chk_1" not in repr(client._sender)


class TestOptions:
    def test_others_for_one_call(self) -> None:
        client, transport = client_on(answer(200, JOB))
        client.with_options(timeout=1, api_key="chk_2", base_url="https://other").jobs.get("j")
        client.jobs.get("j")
        changed, unchanged = transport.requests
        assert (changed.timeout, changed.headers["x-api-key"], changed.url) == (1, "chk_2", "https://other/v1/jobs/j")
        assert (unchanged.timeout, unchanged.headers["x-api-key"], unchanged.url) == (
            30,
            "chk_1",
            "http://127.0.0.1:8080/v1/jobs/j",
        )

    def test_what_is_not_given_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client, transport = client_on(answer(200, JOB), base_url="https://host", timeout=3, max_retries=5)
        monkeypatch.setenv("CRONHOOK_BASE_URL", "https://variable")
        other = client.with_options()
        other.jobs.get("j")
        assert (transport.requests[0].timeout, transport.requests[0].url) == (3, "https://host/v1/jobs/j")
        assert other._sender.options.max_retries == 5

    async def test_retries_can_be_switched_off(self) -> None:
        client, transport = client_on(ConnectionFailed("refused", False), max_retries=0)
        with pytest.raises(ConnectionFailed):
            client.jobs.get("j")
        async_transport = AsyncScriptedTransport(ConnectionFailed("refused", False))
        with pytest.raises(ConnectionFailed):
            await AsyncCronhook("k", transport=async_transport).with_options(max_retries=0).jobs.get("j")
        assert len(transport.requests) == len(async_transport.requests) == 1


class TestClosing:
    async def test_a_transport_of_ones_own_is_ones_own(self) -> None:
        transport, async_transport = ScriptedTransport(), AsyncScriptedTransport()
        with Cronhook("k", transport=transport) as client:
            pass
        client.close()
        async with AsyncCronhook("k", transport=async_transport):
            pass
        assert transport.closed == async_transport.scripted.closed == 0

    async def test_the_client_closes_what_it_made(self) -> None:
        with Cronhook("k") as client:
            client.with_options(timeout=1).close()
            assert client._sender.transport._clients.mine().is_closed is False
        assert client._sender.transport._clients.mine().is_closed is True
        client.close()
        async with AsyncCronhook("k") as async_client:
            await async_client.with_options(timeout=1).close()
            assert async_client._sender.transport._pools.mine().of(asyncio.get_running_loop())[0].is_closed is False
        assert async_client._sender.transport._pools.mine().of(asyncio.get_running_loop())[0].is_closed is True


class TestRaw:
    HEADERS = (("X-Request-Id", "req_1"), ("etag", "e"))

    async def test_the_whole_answer(self) -> None:
        client, _ = client_on(answer(200, JOB, self.HEADERS))
        response = client.raw(client.jobs.get, "job_1")
        async_client = AsyncCronhook("k", transport=AsyncScriptedTransport(answer(200, JOB, self.HEADERS)))
        for one in (response, await async_client.raw(async_client.jobs.get, "job_1")):
            assert isinstance(one, Response)
            assert one.value.id == "job_1"
            assert (one.status, one.request_id, one.headers["ETag"], one.retries) == (200, "req_1", "e", 0)
            assert one.answer.body.startswith(b"{")

    def test_named_arguments_and_errors_pass_through(self) -> None:
        client, transport = client_on(answer(200, page_of()), problem(404, "not_found"))
        assert client.raw(client.jobs.page, tag="t").value.data == ()
        assert transport.requests[0].url.endswith("?tag=t")
        with pytest.raises(NotFound):
            client.raw(client.jobs.get, "job_1")

    def test_the_status_tells_a_failing_health(self) -> None:
        client, _ = client_on(answer(503, HEALTH))
        assert client.raw(client.health.ready).status == 503

    def test_a_list_sends_nothing_by_itself(self) -> None:
        client, _ = client_on(answer(200, page_of()))
        with pytest.raises(TypeError, match="use page"):
            client.raw(client.jobs.list)

    async def test_nor_does_anything_else_that_sends_nothing(self) -> None:
        async def nothing() -> None: ...

        async_client = AsyncCronhook("k", transport=AsyncScriptedTransport())
        with pytest.raises(TypeError, match="use page"):
            await async_client.raw(nothing)

    def test_calls_within_calls_are_kept_apart(self) -> None:
        client, _ = client_on(answer(200, JOB, [("x-request-id", "inner")]), answer(200, JOB))

        def both() -> str | None:
            inner = client.raw(client.jobs.get, "job_1").request_id
            client.jobs.get("job_1")
            return inner

        outer = client.raw(both)
        assert outer.request_id is None


async def test_pauses_are_slept_and_told(caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []

    async def async_sleep(seconds: float) -> None:
        slept.append(seconds)

    outcomes = (problem(503, "unavailable", [("retry-after", "2")]), answer(200, JOB))
    client, transport = client_on(*outcomes)
    async_transport = AsyncScriptedTransport(*outcomes)
    async_client = AsyncCronhook("k", transport=async_transport)
    client._use(evolve(client._sender, sleep=slept.append), owns_transport=False)
    async_client._use(evolve(async_client._sender, sleep=async_sleep), owns_transport=False)
    with caplog.at_level(logging.INFO, logger="cronhook_client"):
        client.jobs.get("job_1")
        await async_client.jobs.get("job_1")
    assert len(transport.requests) == len(async_transport.requests) == 2
    assert len(slept) == 2
    assert all(2 <= seconds <= 2.2 for seconds in slept)
    assert [record.message.split(" after ")[1] for record in caplog.records] == ["'unavailable'"] * 2
    assert "chk_1" not in caplog.text
