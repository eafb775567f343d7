"""However many ask for a health check, a dependency is asked once a second."""

import asyncio
from datetime import UTC, datetime

import pytest

from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.wire.v1 import HealthStatus
from cronhook_server.checks import FRESH_FOR_SECONDS, HealthChecks, Probe

START = datetime(2026, 3, 1, tzinfo=UTC)


class Database:
    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def ping(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")


async def test_many_requests_ask_once_and_see_the_next_state_a_second_later() -> None:
    database, clock = Database(), ManualClock(START)
    checks = HealthChecks([Probe(name="database", check=database.ping, vital=True)], clock)

    many = await asyncio.gather(*(checks.run() for _ in range(50)))
    assert {check.status for (check,) in many} == {HealthStatus.OK}
    assert database.asked == 1

    database.away = True
    await clock.advance(FRESH_FOR_SECONDS)
    failing = await checks.run(dependencies_only=True)
    assert [check.status for check in failing] == [HealthStatus.FAILING]
    assert checks.vital(failing) == list(failing)
    assert database.asked == 2


@pytest.mark.parametrize(("dependencies_only", "names"), [(True, ["redis"]), (False, ["redis", "schema"])])
async def test_readiness_asks_more_than_health(dependencies_only: bool, names: list[str]) -> None:
    ping = Database().ping
    probes = [
        Probe(name="redis", check=ping, vital=False),
        Probe(name="schema", check=ping, vital=True, for_readiness=True),
    ]
    checks = await HealthChecks(probes, ManualClock(START)).run(dependencies_only=dependencies_only)
    assert [check.name for check in checks] == names
