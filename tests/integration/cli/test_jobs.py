"""What commands do and print, against a real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from cronhook_core.domain.api_key import Scope
from cronhook_core.engine import job_service
from cronhook_server.cli import listing as lists
from cronhook_server.cli import logs
from cronhook_server.routes import logs as log_routes
from tests.integration.cli.conftest import Command
from tests.integration.client.running_server import RunningServer
from tests.services import free_port

JOB = ("--name", "report", "--url", "http://127.0.0.1:9/x")


class TestCreate:
    def test_every_option_reaches_its_field(self, cronhook: Command) -> None:
        made = cronhook(
            *("jobs", "create", *JOB, "--cron", "30 2 * * *", "--timezone", "Europe/Berlin"),
            *("--header", "x-a: 1: 2", "--header", "authorization: Bearer x", "--payload", '{"a": [1]}'),
            *("--timeout", "30s", "--retry-delays", "30,2m,1h", "--tag", "a", "--tag", "b", "--metadata", "k=v=w"),
            *("-o", "json"),
        ).json
        expected = {
            "name": "report",
            "callback_url": "http://127.0.0.1:9/x",
            "cron": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "headers": {"x-a": "1: 2", "authorization": "***"},
            "payload": {"a": [1]},
            "timeout_seconds": 30,
            "retry_delays_seconds": [30, 120, 3600],
            "tags": ["a", "b"],
            "metadata": {"k": "v=w"},
        }
        assert {name: made[name] for name in expected} == expected

    def test_payload_from_a_file_and_from_standard_input(self, cronhook: Command, tmp_path: Path) -> None:
        (tmp_path / "payload.json").write_text('["from a file"]')
        create = ("jobs", "create", *JOB, "--in", "1h", "-o", "json", "--payload")
        assert cronhook(*create, f"@{tmp_path / 'payload.json'}").json["payload"] == ["from a file"]
        assert cronhook(*create, "-", stdin=b'"piped"').json["payload"] == "piped"
        assert cronhook(*create, "null").json["payload"] is None

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("--cron", "61 * * * *"), "--cron: minute: 61 is not between 0 and 59"),
            (("--cron", "@daily", "--timezone", "Mars/Olympus"), "--timezone: there is no IANA time zone"),
            (("--cron", "@daily", "--retry-delays", "30,0"), "--retry-delays (2 in the list): "),
            (("--cron", "@daily", "--header", "host: x"), "--header host: "),
            (("--cron", "@daily", "--payload", "{"), "the payload is not JSON"),
            (("--cron", "@daily", "--payload", "hello"), "a text is JSON in quotes of its own"),
            (("--cron", "@daily", "--payload", "@/no/such/file"), "cannot read /no/such/file: no such file"),
            (("--cron", "@daily", "--header", "x: 1", "--header", "X: 2"), "--header x is given twice"),
            (("--cron", "@daily", "--timeout", "soon"), "is not a duration"),
            (("--run-at", "2030-01-01T00:00:00"), "has no offset"),
            (("--in", "9999999d"), "Invalid value for '--in': '9999999d' from now is beyond the year 9999"),
            (("--in", "999999999d"), "Invalid value for '--in': "),
            (("--in", "999999d"), "--run-at: "),
            (("--in", "1h", "--run-at", "2030-01-01T00:00:00Z"), "--in and --run-at"),
            (("--in", "1h", "--cron", "@daily"), "either --cron, or --run-at or --in"),
            ((), "either --cron, or --run-at or --in"),
        ],
    )
    def test_wrong_input_is_told_with_its_option(
        self, cronhook: Command, arguments: tuple[str, ...], told: str
    ) -> None:
        ended = cronhook("jobs", "create", *JOB, *arguments)
        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.startswith("cronhook: ")
        assert told in ended.err

    def test_several_wrong_fields_have_a_line_each(self, cronhook: Command) -> None:
        ended = cronhook("jobs", "create", *JOB, "--cron", "61 * * * *", "--retry-delays", "0")
        assert ended.code == 2
        lines = ended.err.splitlines()
        assert lines[0] == "cronhook: The request is not valid"
        assert [line.split(":")[0].strip() for line in lines[1:3]] == ["--cron", "--retry-delays (1 in the list)"]

    def test_the_same_idempotency_key_makes_one_job(self, cronhook: Command) -> None:
        create = ("jobs", "create", *JOB, "--cron", "@daily", "--idempotency-key", "once", "-o", "json")
        assert cronhook(*create).json["id"] == cronhook(*create).json["id"]

    def test_a_key_of_ones_own_needs_an_instant_that_stays_the_same(self, cronhook: Command) -> None:
        ended = cronhook("jobs", "create", *JOB, "--in", "10m", "--idempotency-key", "once")
        assert ended.code == 2
        assert "give --run-at" in ended.err

    def test_a_quota_that_is_used_up_has_a_code_of_its_own(self, cronhook: Command) -> None:
        ends = [cronhook("jobs", "create", *JOB, "--cron", "@daily") for _ in range(11)]
        assert [end.code for end in ends] == [0] * 10 + [6]
        assert "cronhook workspace show" in ends[-1].err


class TestUpdate:
    def test_changes_what_is_given_and_takes_away_what_is_cleared(self, cronhook: Command) -> None:
        made = cronhook("jobs", "create", *JOB, "--cron", "@daily", "--tag", "a", "--payload", "1", "-o", "json").json
        changed = cronhook(
            *("jobs", "update", made["id"], "--name", "new", "--retry-delays", "none", "--clear", "tags"),
            *("--clear", "payload", "-o", "json"),
        ).json
        assert (changed["name"], changed["retry_delays_seconds"], changed["tags"]) == ("new", [], [])
        assert changed["payload"] is None
        assert changed["cron"] == "@daily"

    def test_run_at_takes_the_place_of_cron(self, cronhook: Command, job: dict[str, Any]) -> None:
        changed = cronhook("jobs", "update", job["id"], "--run-at", "2030-01-31T08:00:00+01:00", "-o", "json").json
        assert (changed["cron"], changed["run_at"]) == (None, "2030-01-31T07:00:00Z")

    @pytest.mark.parametrize(
        "arguments", [(), ("--tag", "a", "--clear", "tags"), ("--retry-delays", "1", "--clear", "retry-delays")]
    )
    def test_nothing_and_contradictions_are_refused(
        self, cronhook: Command, job: dict[str, Any], arguments: tuple[str, ...]
    ) -> None:
        assert cronhook("jobs", "update", job["id"], *arguments).code == 2


class TestLists:
    @pytest.fixture
    def three(self, cronhook: Command) -> list[str]:
        create = ("jobs", "create", *JOB, "--cron", "@daily", "-o", "json")
        return [cronhook(*create).json["id"] for _ in range(3)][::-1]

    def test_formats(self, cronhook: Command, three: list[str]) -> None:
        assert [job["id"] for job in cronhook("jobs", "list", "-o", "json").json] == three
        lines = cronhook("jobs", "list", "-o", "jsonl").out.splitlines()
        assert [json.loads(line)["id"] for line in lines] == three
        header, *rows = cronhook("jobs", "list").out.splitlines()
        assert header.startswith("ID ")
        assert [row.split()[0] for row in rows] == three

    def test_a_limit_says_that_there_are_more(self, cronhook: Command, three: list[str]) -> None:
        some = cronhook("jobs", "list", "-n", "2", "-o", "json")
        assert [job["id"] for job in some.json] == three[:2]
        assert "--all" in some.err
        for complete in (
            cronhook("jobs", "list", "-n", "3", "-o", "json"),
            cronhook("jobs", "list", "--all", "-o", "json"),
        ):
            assert len(complete.json) == 3
            assert complete.err == ""

    def test_a_limit_beyond_all_bounds(self, cronhook: Command, job: dict[str, Any]) -> None:
        for listed in (("jobs", "list"), ("executions", "list", job["id"]), ("logs", job["id"])):
            refused = cronhook(*listed, "-n", "99999999999999999999")
            assert (refused.code, refused.out) == (2, "")
            assert "'--limit'" in refused.err
            assert cronhook(*listed, "-n", "1000000000", "-o", "json").code == 0

    def test_an_empty_list_is_told_to_people_and_empty_to_programs(self, cronhook: Command) -> None:
        told = cronhook("jobs", "list")
        assert (told.code, told.out, told.err) == (0, "", "There are none.\n")
        assert cronhook("jobs", "list", "-o", "json").out == "[]\n"
        assert cronhook("jobs", "list", "-o", "jsonl").out == ""

    def test_control_characters_are_shown_not_obeyed(self, cronhook: Command) -> None:
        create = ("jobs", "create", "--url", "http://127.0.0.1:9/x", "--cron", "@daily")
        cronhook(*create, "--name", "one", "--metadata", "k=\x1b[31mred\r\nbold")
        listed = cronhook("jobs", "list", "-o", "json").json
        shown = cronhook("jobs", "show", listed[0]["id"])
        assert "\x1b" not in shown.out
        assert r"k: \x1b[31mred\r\nbold" in shown.out


class TestRun:
    def test_without_waiting_it_is_queued(self, cronhook: Command, job: dict[str, Any]) -> None:
        execution = cronhook("jobs", "run", job["id"], "-o", "json").json
        assert (execution["job_id"], execution["trigger"]) == (job["id"], "manual")

    def test_the_exit_code_of_waiting_says_how_it_ended(self, cronhook: Command) -> None:
        made = cronhook("jobs", "create", *JOB, "--cron", "@yearly", "--retry-delays", "none", "-o", "json").json
        ended = cronhook("jobs", "run", made["id"], "--wait", "-o", "json")
        assert ended.code == 1
        execution = json.loads(ended.out)
        assert execution["status"] == "failed"
        assert execution["logs"][0]["outcome"] == "connect_error"
        logged = cronhook("logs", made["id"], "-o", "json").json
        assert [row["execution_id"] for row in logged] == [execution["id"]]
        table = cronhook("executions", "show", execution["id"]).out
        assert "connection refused" in table
        again = cronhook("executions", "replay", execution["id"], "--wait", "-o", "json")
        assert (again.code, json.loads(again.out)["trigger"]) == (1, "replay")
        assert len(cronhook("logs", made["id"], "--offset", "1", "-o", "json").json) == 1
        assert cronhook("logs", made["id"], "--status", "succeeded", "-o", "json").json == []

    def test_waiting_has_an_end(self, cronhook: Command, job: dict[str, Any]) -> None:
        ended = cronhook("jobs", "run", job["id"], "--wait-for", "1")
        assert ended.code == 5
        assert "it goes on by itself" in ended.err

    def test_what_was_queued_is_named_where_the_key_may_not_wait(
        self, cronhook: Command, job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else it looks as if nothing had been done, and is done again."""
        writer = cronhook("keys", "create", "--name", "writer", "--scopes", "write", "-o", "json").json
        with monkeypatch.context() as patched:
            patched.setenv("CRONHOOK_API_KEY", writer["key"])
            ended = cronhook("jobs", "run", job["id"], "--wait")
        (execution,) = cronhook("executions", "list", job["id"], "-o", "json").json
        assert ended.code == 4
        assert f"{execution['id']} was queued, and goes on by itself" in ended.err

    def test_what_is_running_cannot_be_followed(self, cronhook: Command, job: dict[str, Any]) -> None:
        ended = cronhook("logs", job["id"], "--follow", "--status", "running")
        assert ended.code == 2
        assert "none of these is running" in ended.err


class TestLogsBeyondReach:
    """The API passes over so many rows of a log, and no more."""

    @pytest.fixture
    def long(self, cronhook: Command, monkeypatch: pytest.MonkeyPatch) -> str:
        """A job of six attempts, where three rows may be passed over and two are asked for at once."""
        made = cronhook("jobs", "create", *JOB, "--cron", "@yearly", "--retry-delays", "none", "-o", "json").json
        for _ in range(6):
            cronhook("jobs", "run", made["id"], "--wait")
        monkeypatch.setattr(log_routes, "MAX_OFFSET", 3)
        monkeypatch.setattr(logs, "_MAX_OFFSET", 3)
        monkeypatch.setattr(lists, "_MOST_AT_ONCE", 2)
        job_id: str = made["id"]
        return job_id

    def test_the_bound_is_the_servers(self) -> None:
        assert logs._MAX_OFFSET == log_routes.MAX_OFFSET

    @pytest.mark.parametrize("asked", [("--all",), ("-n", "6")])
    def test_what_can_be_read_is_printed_and_the_rest_told(
        self, cronhook: Command, long: str, asked: tuple[str, ...]
    ) -> None:
        newest_first = [row["id"] for row in cronhook("logs", long, "-n", "3", "-o", "json").json]
        ended = cronhook("logs", long, *asked, "-o", "json")
        rows = [row["id"] for row in json.loads(ended.out)]
        assert (ended.code, len(rows), rows[:3]) == (1, 5, newest_first)
        assert len(set(rows)) == 5
        assert ended.err.startswith("cronhook: 5 of 6 attempts are shown")
        assert f"for older ones, see `cronhook executions list {long}` and `cronhook executions show" in ended.err
        assert len(cronhook("logs", long, *asked, "-o", "jsonl").out.splitlines()) == 5
        assert len(cronhook("logs", long, *asked).out.splitlines()) == 1 + 5
        assert "for newer ones" in cronhook("logs", long, *asked, "--oldest-first").err

    def test_who_asks_for_no_more_gets_it(self, cronhook: Command, long: str) -> None:
        ended = cronhook("logs", long, "-n", "5", "-o", "json")
        assert len(ended.json) == 5
        assert ended.err.startswith("5 of 6 attempts are shown")

    def test_how_many_there_are_is_told_as_far_as_they_are_counted(
        self, cronhook: Command, long: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_service, "COUNTED_UP_TO", 5)
        ended = cronhook("logs", long, "-n", "5", "-o", "json")
        assert len(ended.json) == 5
        assert ended.err.startswith("5 of more than 10000 attempts are shown")

    def test_an_offset_comes_as_far(self, cronhook: Command, long: str) -> None:
        ended = cronhook("logs", long, "--offset", "2", "--all", "-o", "json")
        assert (ended.code, len(json.loads(ended.out))) == (1, 3)

    def test_a_log_that_ends_there_is_whole(
        self, cronhook: Command, long: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log_routes, "MAX_OFFSET", 4)
        monkeypatch.setattr(logs, "_MAX_OFFSET", 4)
        ended = cronhook("logs", long, "--all", "-o", "json")
        assert (len(ended.json), ended.err) == (6, "")


class TestRefusals:
    def test_unknown_ids(self, cronhook: Command) -> None:
        unknown = {"jobs show": "jobs list", "executions show": "executions list JOB_ID", "keys revoke": "keys list"}
        for command, listing in unknown.items():
            ended = cronhook(*command.split(), "job_1")
            assert (ended.code, ended.out) == (3, "")
            assert f"`cronhook {listing}` shows what is" in ended.err
            assert "404 not_found, request req_" in ended.err

    def test_keys_that_are_missing_wrong_or_too_weak(
        self, cronhook: Command, server: RunningServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert cronhook("jobs", "list", "--api-key", "chk_wrong").code == 4
        weak = cronhook("workspace", "secret", "--api-key", server.new_key("weak", Scope.READ))
        assert weak.code == 4
        assert "'admin'" in weak.err
        monkeypatch.delenv("CRONHOOK_API_KEY")
        missing = cronhook("jobs", "list")
        assert missing.code == 4
        assert "CRONHOOK_API_KEY" in missing.err

    def test_a_server_that_is_not_there(self, cronhook: Command) -> None:
        ended = cronhook("health", "--base-url", f"http://127.0.0.1:{free_port()}")
        assert ended.code == 5
        assert "cronhook up" in ended.err

    def test_a_base_url_that_cannot_be_meant(self, cronhook: Command) -> None:
        assert cronhook("health", "--base-url", "127.0.0.1:8080").code == 2

    def test_a_base_url_that_leads_elsewhere(self, cronhook: Command, server: RunningServer) -> None:
        ended = cronhook("jobs", "list", "--base-url", f"{server.url}/docs")
        assert "Is --base-url (CRONHOOK_BASE_URL) right?" in ended.err

    def test_what_the_state_does_not_allow(self, cronhook: Command) -> None:
        made = cronhook("jobs", "create", *JOB, "--cron", "@yearly", "--retry-delays", "none", "-o", "json").json
        ended = json.loads(cronhook("jobs", "run", made["id"], "--wait", "-o", "json").out)
        refused = cronhook("executions", "cancel", ended["id"])
        assert (refused.code, refused.out) == (6, "")
        assert "only a queued one can be cancelled" in refused.err


class TestSecretsInArguments:
    CREATE = ("jobs", "create", *JOB, "--in", "1h", "-o", "json")

    def test_a_header_from_a_file(self, cronhook: Command, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("Bearer from-a-file\n")
        made = cronhook(*self.CREATE, "--header", f"authorization: @{tmp_path / 'token'}", "--header", "x-a: 1")
        assert made.json["headers"] == {"authorization": "***", "x-a": "1"}
        assert made.err == ""

    def test_a_file_that_is_not_there(self, cronhook: Command) -> None:
        ended = cronhook(*self.CREATE, "--header", "authorization: @/no/such/file")
        assert ended.code == 2
        assert "cannot read /no/such/file" in ended.err

    def test_a_secret_header_is_warned_of_and_not_repeated(self, cronhook: Command) -> None:
        made = cronhook(*self.CREATE, "--header", "X-Api-Key: canary-argument")
        assert made.code == 0
        assert "'X-Api-Key: @FILE' takes the value from a file" in made.err
        assert "canary" not in made.out + made.err

    def test_what_is_no_header_is_not_repeated(self, cronhook: Command) -> None:
        ended = cronhook(*self.CREATE, "--header", "Bearer canary-argument")
        assert ended.code == 2
        assert "canary" not in ended.err

    def test_a_key_is_warned_of(self, cronhook: Command, server: RunningServer) -> None:
        listed = cronhook("jobs", "list", "--api-key", server.new_key("other"))
        assert listed.code == 0
        assert "the variable CRONHOOK_API_KEY does as well" in listed.err
        assert "CRONHOOK_API_KEY" not in cronhook("jobs", "list").err
