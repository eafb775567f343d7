import pytest

from cronhook_server import cli


def test_the_command_line_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package without its extra has the command, too."""
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.run_command(("--help",)) == 2
    assert capsys.readouterr().err == ("cronhook: the command line is not installed: pip install 'cronhook[server]'\n")
