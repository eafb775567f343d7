"""Every command says what it does, with examples, in a terminal of 80 columns."""

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cronhook_server.cli.group import COMMANDS, cli


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{context.info_name} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, click.Context(command, info_name=f"{context.info_name} {name}"))


EVERY = dict(commands(cli, click.Context(cli, info_name="cronhook")))


def test_there_are_commands_below_commands() -> None:
    assert {"cronhook jobs create", "cronhook keys rotate", "cronhook lint"} <= EVERY.keys()


@pytest.mark.parametrize("name", EVERY)
def test_help_has_examples_that_are_not_folded(name: str) -> None:
    told = inspect.cleandoc(EVERY[name].help or "")
    _, found, examples = told.partition("\b\n")
    assert found, "there are no examples"
    assert examples.startswith("Example")
    assert name.replace("jobs logs", "logs") in examples
    assert [line for line in examples.splitlines() if len(line) > 78] == []


@pytest.mark.parametrize("name", EVERY)
def test_options_are_explained(name: str) -> None:
    options = [parameter for parameter in EVERY[name].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_list_of_commands_is_that_of_their_modules() -> None:
    for name, entry in COMMANDS.items():
        assert EVERY[f"cronhook {name}"].name == name
        assert entry.help.endswith(".")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_every_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["completion", shell], prog_name="cronhook", standalone_mode=False)
    assert "_CRONHOOK_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "completed"),
    [("cronhook jo", "jobs"), ("cronhook jobs up", "update"), ("cronhook jobs list --stat", "--status")],
)
def test_commands_and_options_are_completed(words: str, completed: str, tmp_path: Path) -> None:
    asked = {"_CRONHOOK_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    shown = subprocess.run(
        [Path(sys.executable).with_name("cronhook")],
        env=os.environ | asked,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert f"plain,{completed}" in shown.stdout.splitlines()
