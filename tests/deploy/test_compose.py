"""compose.yaml, as far as it can be checked without Docker."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from cronhook_server.cli.group import COMMANDS
from cronhook_server.settings import Settings
from tests.services import ValkeyServer

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "cronhook"}
GIVEN = {
    "CRONHOOK_SECRET_KEY": "0123456789abcdef" * 4,
    "POSTGRES_PASSWORD": "0123456789abcdef",
    "VALKEY_PASSWORD": "fedcba9876543210",
}
OF_COMMANDS = {"CRONHOOK_BASE_URL"}


class _ProtectedValkey(ValkeyServer):
    @property
    def url(self) -> str:
        return f"redis://:{GIVEN['VALKEY_PASSWORD']}@127.0.0.1:{self.port}/0"


def environment_of(name: str) -> dict[str, str]:
    """As compose fills it in, from the file .env."""
    return {
        variable: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: GIVEN[found[1]], value)
        for variable, value in SERVICES[name].get("environment", {}).items()
    }


def settings_of(name: str) -> Settings:
    """With what the image sets."""
    image = dict(re.findall(r"(CRONHOOK_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    return Settings.read({**image, **environment_of(name)})


def test_it_runs_one_api_two_schedulers_two_workers_and_a_migration() -> None:
    commands = [service["command"] for service in OURS.values()]
    assert sorted(commands) == sorted([["migrate"], ["api"], *[["scheduler"]] * 2, *[["worker"]] * 2])
    assert all(command in COMMANDS for (command,) in commands)


@pytest.mark.parametrize("name", OURS)
def test_settings_are_settings_and_their_values_can_be_read(name: str) -> None:
    known = {shown.variable for shown in Settings().shown()}
    assert environment_of(name).keys() - known - OF_COMMANDS == set()
    settings = settings_of(name)
    assert settings.database_url == f"postgresql://cronhook:{GIVEN['POSTGRES_PASSWORD']}@postgres/cronhook"
    assert settings.redis_url == f"redis://:{GIVEN['VALKEY_PASSWORD']}@valkey:6379/0"
    assert settings.host == "0.0.0.0"


def test_no_secret_is_written_down() -> None:
    """Each comes from .env, and compose says so where it is missing."""
    text = (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) == GIVEN.keys()
    assert set(re.findall(r"\$\{?(\w+)", text)) == GIVEN.keys()


@pytest.mark.parametrize("name", OURS)
def test_a_process_has_time_to_end_in_order(name: str) -> None:
    grace = timedelta(seconds=int(OURS[name]["stop_grace_period"].removesuffix("s")))
    assert grace >= settings_of(name).drain_timeout + timedelta(seconds=10)


@pytest.mark.parametrize("name", [name for name in OURS if name != "migrate"])
def test_the_health_check_asks_where_the_process_listens(name: str) -> None:
    settings = settings_of(name)
    port = settings.port if OURS[name]["command"] == ["api"] else settings.metrics_port
    assert environment_of(name).get("CRONHOOK_BASE_URL", "http://127.0.0.1:8080") == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", [name for name in OURS if name != "migrate"])
def test_a_process_starts_after_the_migration_and_without_waiting_for_redis(name: str) -> None:
    assert OURS[name]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "valkey": {"condition": "service_started"},
    }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", OURS)
def test_a_process_may_do_little(name: str) -> None:
    service = OURS[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in service["security_opt"]


def test_nothing_is_open_to_the_network_of_the_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_prometheus_scrapes_what_compose_runs() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    found = {
        target: group["labels"]["role"]
        for config in scraped
        for group in config["static_configs"]
        for target in group["targets"]
    }
    expected = {}
    for name, service in OURS.items():
        (role,) = service["command"]
        if role != "migrate":
            expected[f"{name}:{settings_of(name).port if role == 'api' else settings_of(name).metrics_port}"] = role
    assert found == expected


def test_valkey_deletes_no_keys_and_wants_a_password() -> None:
    command = SERVICES["valkey"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--requirepass") + 1].startswith("${VALKEY_PASSWORD:?")


def test_the_stores_have_a_network_that_only_cronhook_shares() -> None:
    networks = yaml.safe_load((ROOT / "compose.yaml").read_text())["networks"]
    assert networks == {"stores": {"internal": True}}
    assert [SERVICES[name]["networks"] for name in ("postgres", "valkey", "migrate")] == [["stores"]] * 3
    assert "networks" not in SERVICES["prometheus"]  # the default one
    assert all("stores" in service["networks"] for service in OURS.values())


def test_valkey_with_these_arguments_refuses_who_has_no_password() -> None:
    command = [GIVEN["VALKEY_PASSWORD"] if word.startswith("${") else word for word in SERVICES["valkey"]["command"]]
    settings = dict(zip((name.removeprefix("--") for name in command[1::2]), command[2::2], strict=True))
    with _ProtectedValkey(settings=settings) as server:
        with redis.Redis(port=server.port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in OURS])
def test_images_of_others_have_a_version(name: str) -> None:
    assert re.fullmatch(r"[\w/.-]+:v?\d[\w.-]*", SERVICES[name]["image"])
