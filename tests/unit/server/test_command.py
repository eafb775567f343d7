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
