"""``cronhook lint``, which needs no server."""

import json
from pathlib import Path

import pytest

from cronhook_server.cli import run_command

AFTER = ("--after", "2026-11-24T12:00:00Z")


def lint(*arguments: str) -> int:
    try:
        return run_command(("lint", *arguments, *AFTER))
    except SystemExit as left:
        return int(left.code or 0)


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_text("CRON_TZ=Europe/Berlin\n30 2 * * * backup\n61 * * * *\n")
    return path


def test_a_clean_file_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crontab").write_text("30 4 * * 1-5 /bin/report\n")
    assert lint(str(tmp_path / "crontab"), "-n", "1") == 0
    assert capsys.readouterr().out.splitlines() == [
        "1: 30 4 * * 1-5  /bin/report",
        "  runs at 04:30 on Monday to Friday",
        "  next  Wed 2026-11-25 04:30 UTC",
        "1 schedule, 0 errors, 0 warnings.",
    ]


def test_findings_end_with_1_and_name_line_and_column(crontab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(str(crontab), "--quiet") == 1
    places = [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert places == [f"{crontab}:2:1", f"{crontab}:2:1", f"{crontab}:3:1"]


def test_json_says_the_same(crontab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(str(crontab), "-o", "json", "-n", "1") == 1
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert lines[0] == {
        "line": 2,
        "expression": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "command": "backup",
        "words": "at 02:30 every day",
        "next": [{"at": "2026-11-25T01:30:00Z", "local": "2026-11-25T02:30:00+01:00"}],
        "findings": lines[0]["findings"],
    }
    assert [finding["code"] for finding in lines[0]["findings"]] == ["falls_into_gap", "repeated_hour"]
    assert lines[1]["findings"][0] == {
        "code": "invalid_cron",
        "severity": "error",
        "line": 3,
        "column": 1,
        "detail": "Minute: 61 is not between 0 and 59.",
    }
    assert lint(str(crontab), "-o", "jsonl", "-n", "1") == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines


def test_no_control_character_reaches_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crontab").write_text("CRON_TZ=\x1b[31mRED\x07 0 5 * * * x\n")
    assert lint(str(tmp_path / "crontab")) == 1
    assert not {"\x1b", "\x07"} & set(capsys.readouterr().out)


def test_codes_can_be_ignored(crontab: Path) -> None:
    ignored = ("--ignore", "falls_into_gap", "--ignore", "repeated_hour", "--ignore", "invalid_cron")
    assert lint(str(crontab), *ignored) == 0
    assert lint(str(crontab), *ignored[:4]) == 1


@pytest.mark.parametrize("arguments", [("no-such-file",), ("-", "--ignore", "nothing"), (".",)])
def test_wrong_use_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert lint(*arguments) == 2


def test_bytes_that_are_not_text_are_a_finding(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_bytes(b"* * * * \xff\n")
    assert lint(str(tmp_path / "crontab")) == 1
