"""The console blocks of a page: commands behind a dollar sign, each with the output that the page shows."""

import re
from pathlib import Path

import attrs

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


@attrs.frozen
class Shown:
    """`output` is empty where the page shows none."""

    command: str
    output: str


def console_of(page: Path) -> list[Shown]:
    shown = []
    for block in _BLOCK.findall(page.read_text()):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            shown.append(Shown(command, output))
    return shown


def file_of(page: Path, language: str) -> str:
    """The first block of that language."""
    found = re.search(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
    assert found is not None
    return found[1]
