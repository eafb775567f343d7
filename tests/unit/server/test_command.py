from pathlib import Path

import pytest

from cronhook_server import cli
from cronhook_server.all_in_one import Started
from cronhook_server.cli.up import _welcome
from cronhook_server.settings import Settings


def test_the_command_line_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package without its extra has the command, too."""
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.run_command(("--help",)) == 2
    assert capsys.readouterr().err == ("cronhook: the command line is not installed: pip install 'cronhook[server]'\n")


def test_an_ipv6_address_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """What stands in brackets is no style of the text."""
    _welcome(Settings(), Started(address="http://[fd00::5]:8080", first_key="chk_x"))
    shown = capsys.readouterr().out
    assert "  address    http://[fd00::5]:8080\n" in shown
    assert "  API docs   http://[fd00::5]:8080/docs\n" in shown


def test_on_a_terminal_the_first_key_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    _welcome(Settings(), Started(address="http://127.0.0.1:8080", first_key="chk_x"))
    assert capsys.readouterr().out.count("chk_x") == 2


def test_elsewhere_the_first_key_goes_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started = Started(address="http://127.0.0.1:8080", first_key="chk_x")
    _welcome(Settings(), started, tmp_path / "cronhook.db")
    shown = capsys.readouterr().out
    assert "chk_x" not in shown
    assert str(tmp_path / "cronhook.db.first-key") in shown
    assert (tmp_path / "cronhook.db.first-key").read_text() == "chk_x\n"


def test_a_first_key_that_cannot_be_written_is_replaced_by_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = Started(address="http://127.0.0.1:8080", first_key="chk_x")
    _welcome(Settings(), started, tmp_path / "absent" / "cronhook.db")
    shown = capsys.readouterr()
    assert "chk_x" not in shown.out + shown.err
    assert "cronhook keys create --workspace default" in shown.out
