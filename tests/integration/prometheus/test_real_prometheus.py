"""A real Prometheus scrapes real processes: Debian's package, and the files of deploy/prometheus."""

import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.acceptance.running import Up, ahead
from tests.debian_packages import Unpacked
from tests.faults.installation import Installation
from tests.faults.processes import CronhookProcess
from tests.integration.prometheus.conftest import Promtool
from tests.integration.prometheus.prometheus_server import PrometheusServer
from tests.receiver import Receiver
from tests.services import ValkeyServer, wait_until

pytestmark = pytest.mark.debian

SECONDS = 60.0
ROLES = ("scheduler", "scheduler", "worker", "worker")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path) as server:
        yield server


def addresses(processes: list[CronhookProcess]) -> dict[str, list[str]]:
    """Where the processes are scraped, by role."""
    found: dict[str, list[str]] = {}
    for process in processes:
        (listening,) = process.events("listening")
        found.setdefault(listening["role"], []).append(listening["address"].removeprefix("http://"))
    return found


def counted(prometheus: PrometheusServer, counter: str, roles: str) -> float:
    return prometheus.value(f'sum(cronhook_jobs_{counter}_total{{role=~"{roles}"}})')


def wait_for_counts(prometheus: PrometheusServer, wanted: Mapping[str, int], roles: str) -> None:
    def there() -> bool:
        return {counter: counted(prometheus, counter, roles) for counter in wanted} == wanted

    wait_until(there, SECONDS, f"{wanted} counted at {roles}")


def test_it_sees_the_counters_of_cronhook_up_rise(up: Up, debian: Unpacked, receiver: Receiver) -> None:
    with PrometheusServer(debian, {"up": [f"127.0.0.1:{up.port}"]}) as prometheus:
        wait_until(lambda: prometheus.value("count(cronhook_jobs_scheduled_total)") == 1, SECONDS, "it is scraped")
        wait_for_counts(prometheus, {"scheduled": 0, "executed": 0, "failed": 0}, "up")
        up.create(run_at=ahead(seconds=0.5), callback_url=receiver.url("/status/200"))
        wait_for_counts(prometheus, {"scheduled": 1, "executed": 1, "failed": 0}, "up")
        up.create(run_at=ahead(seconds=0.5), callback_url=receiver.url("/status/410"))
        wait_for_counts(prometheus, {"scheduled": 2, "executed": 2, "failed": 1}, "up")
        assert prometheus.value("cronhook_leader") == 1
        assert prometheus.value("sum(cronhook_schedule_lateness_seconds_count)") == 2
        created = 'cronhook_http_requests_total{method="POST",route="/v1/jobs",status="201"}'
        assert prometheus.value(f"sum({created})") == 2
        assert all(rule["health"] == "ok" for rule in prometheus.rules())


def test_it_sees_every_daemon_and_a_redis_that_is_killed(
    installation: Installation, own_valkey: ValkeyServer, debian: Unpacked, receiver: Receiver
) -> None:
    processes = installation.open(*ROLES)
    with PrometheusServer(debian, addresses(processes)) as prometheus:
        wait_until(lambda: prometheus.value("sum(up)") == len(processes), SECONDS, "every process is scraped")
        wait_until(lambda: prometheus.value("sum(cronhook_leader)") == 1, SECONDS, "one scheduler leads")
        for path in ("/status/200", "/status/410"):
            installation.create(run_at=ahead(seconds=0.5), callback_url=receiver.url(path))
        wait_for_counts(prometheus, {"scheduled": 2}, "scheduler")
        wait_for_counts(prometheus, {"executed": 2, "failed": 1}, "worker")
        assert prometheus.values("sum by (role) (cronhook_redis_up)", "role") == {"api": 1, "scheduler": 2, "worker": 2}
        assert prometheus.alerts().keys() <= {"CronhookAttemptsFailing", "CronhookExecutionsFailed"}
        own_valkey.kill()
        everyone = {"api", "scheduler", "worker"}
        wait_until(lambda: prometheus.alerts().get("CronhookRedisDown") == everyone, SECONDS, "all miss Redis")
        own_valkey.start()
        wait_until(lambda: "CronhookRedisDown" not in prometheus.alerts(), SECONDS, "all have Redis again")


def test_promtool_finds_nothing_to_say_against_the_metrics(
    up: Up, installation: Installation, promtool: Promtool
) -> None:
    targets = addresses(installation.open("scheduler", "worker"))
    for address in [f"127.0.0.1:{up.port}", *(address for group in targets.values() for address in group)]:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
            checked = promtool("check", "metrics", given=page.read().decode())
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_promtool_accepts_the_shipped_files(promtool: Promtool, arguments: tuple[str, ...]) -> None:
    checked = promtool(*arguments)
    assert checked.returncode == 0, checked.stdout + checked.stderr
