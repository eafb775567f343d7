"""``cronhook keys``, in the database and through the API."""

import json
from pathlib import Path

import pytest

from cronhook_client import Cronhook, Unauthenticated
from tests.integration.cli.conftest import Command
from tests.integration.client.running_server import RunningServer


@pytest.fixture(params=["in the database", "through the API"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cronhook: Command
) -> tuple[str, ...]:
    """The arguments that say where the keys are."""
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", f"sqlite:///{tmp_path / 'cronhook.db'}")
    if request.param == "through the API":
        return ()
    assert cronhook("keys", "create", "-w", "w", "--name", "the first").code == 0
    return ("--workspace", "w")


def test_a_key_is_made_listed_and_revoked(cronhook: Command, place: tuple[str, ...]) -> None:
    create = ("keys", "create", "--name", "deploy", "--scopes", "read,write", "--expires-at", "2050-01-01T00:00:00Z")
    made = cronhook(*create, *place, "-o", "json").json
    assert made["key"].startswith("chk_")
    assert (made["scopes"], made["expires_at"]) == (["read", "write"], "2050-01-01T00:00:00Z")
    listed = cronhook("keys", "list", *place, "-o", "json").json
    assert (listed[0]["id"], len(listed)) == (made["id"], 2)
    assert cronhook("keys", "revoke", made["id"], *place, "-o", "json").json == {"id": made["id"], "revoked": True}
    assert cronhook("keys", "list", *place, "-o", "json").json[0]["revoked_at"] is not None
    assert " revoked" in cronhook("keys", "list", *place).out


def test_a_key_is_rotated(cronhook: Command, place: tuple[str, ...]) -> None:
    old = cronhook("keys", "create", "--name", "deploy", *place, "-o", "json").json
    new = cronhook("keys", "rotate", old["id"], "--grace", "1h", *place, "-o", "json").json
    assert (new["name"], new["scopes"]) == (old["name"], old["scopes"])
    assert new["key"] != old["key"]
    by_id = {key["id"]: key for key in cronhook("keys", "list", *place, "-o", "json").json}
    assert by_id[old["id"]]["revoked_at"] is None
    assert by_id[old["id"]]["expires_at"] is not None


def test_a_new_key_is_shown_with_its_end(cronhook: Command, place: tuple[str, ...]) -> None:
    ends = "expires at  2050-01-01T00:00:00Z"
    old = cronhook("keys", "create", "--expires-at", "2050-01-01T00:00:00Z", *place)
    assert ends in old.out.splitlines()
    key_id = old.out.split()[1]
    assert ends in cronhook("keys", "rotate", key_id, *place).out.splitlines()
    endless = cronhook("keys", "create", *place, "-o", "json").json["id"]
    assert "expires" not in cronhook("keys", "rotate", endless, *place).out


def test_what_is_shown_once_is_never_cut(cronhook: Command, place: tuple[str, ...]) -> None:
    (line,) = (line for line in cronhook("keys", "create", *place).out.splitlines() if line.startswith("key "))
    assert len(line.split()[1]) == len("chk_") + 49


@pytest.mark.parametrize("command", [("revoke", "key_1"), ("rotate", "key_1")])
def test_an_unknown_key(cronhook: Command, place: tuple[str, ...], command: tuple[str, ...]) -> None:
    assert cronhook("keys", *command, *place).code == 3


@pytest.mark.parametrize("arguments", [("--scopes", "read,fly"), ("--expires-at", "2020-01-01T00:00:00Z")])
def test_a_key_that_cannot_be(cronhook: Command, place: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    assert cronhook("keys", "create", *arguments, *place).code == 2


@pytest.mark.parametrize("grace", ["31d", "100000d", "99999999d"])
def test_a_grace_beyond_a_month(cronhook: Command, place: tuple[str, ...], grace: str) -> None:
    made = cronhook("keys", "create", *place, "-o", "json").json
    refused = cronhook("keys", "rotate", made["id"], "--grace", grace, *place)
    assert refused.code == 2
    assert "between 0 and 2592000" in refused.err
    assert cronhook("keys", "list", *place, "-o", "json").json[0]["expires_at"] is None


def test_who_names_a_server_means_no_database(
    cronhook: Command, server: RunningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", f"sqlite:///{tmp_path / 'cronhook.db'}")
    both = cronhook("keys", "list", "-w", "default", "--base-url", server.url)
    assert (both.code, "--workspace is for the database" in both.err) == (2, True)
    monkeypatch.delenv("CRONHOOK_API_KEY")
    keyless = cronhook("keys", "create", "--base-url", server.url)
    assert (keyless.code, "there is no API key" in keyless.err) == (4, True)
    assert list(tmp_path.iterdir()) == []


def test_a_revoked_key_is_refused(cronhook: Command, server: RunningServer) -> None:
    made = cronhook("keys", "create", "-o", "json").json
    assert cronhook("keys", "revoke", made["id"]).code == 0
    with Cronhook(made["key"], base_url=server.url) as client, pytest.raises(Unauthenticated):
        client.workspace.get()


def test_without_a_key_the_database_has_a_workspace(
    cronhook: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", f"sqlite:///{tmp_path / 'cronhook.db'}")
    monkeypatch.delenv("CRONHOOK_API_KEY")
    assert json.loads(cronhook("keys", "create", "-o", "json").out)["workspace"] == "default"


def test_an_unknown_workspace(cronhook: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", f"sqlite:///{tmp_path / 'cronhook.db'}")
    assert cronhook("keys", "create", "--workspace", "somebody").code == 0
    assert cronhook("keys", "list", "--workspace", "nobody").code == 3


@pytest.mark.parametrize(
    "command",
    [
        *(("keys", *action, "-w", "default") for action in (("list",), ("revoke", "key_1"), ("rotate", "key_1"))),
        ("workspace", "limit", "default", "--default"),
    ],
)
def test_a_wrong_folder_stays_as_it_is(
    cronhook: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """A database that is made there would be empty, and taken for the right one."""
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", f"sqlite:///{tmp_path / 'cronhook.db'}")
    said = cronhook(*command)
    assert said.code == 2
    assert f"there is no file {tmp_path / 'cronhook.db'}: is this the right folder?" in said.err
    assert list(tmp_path.iterdir()) == []


def test_the_first_key_tells_which_database_it_makes(
    cronhook: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CRONHOOK_DATABASE_URL", f"sqlite:///{tmp_path / 'cronhook.db'}")
    first, second = (cronhook("keys", "create", "-w", "default", "-o", "json") for _ in range(2))
    assert first.err == f"cronhook: there is no database {tmp_path / 'cronhook.db'} yet: it is made\n"
    assert (second.code, second.err) == (0, "")
