"""The Python blocks of the README and of the documents do what they say."""

import os
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
SYBIL = Sybil([PythonCodeBlockParser()], path=str(ROOT))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
DOCUMENTS = {
    page.relative_to(ROOT).as_posix(): document
    for page in PAGES
    if "_build" not in page.parts and list(document := SYBIL.parse(page))
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_code_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the page, with the names of the earlier blocks, in a folder that is empty at first.

    What a page's invisible blocks enter into the exit stack `opened` is closed behind the page.
    """
    monkeypatch.chdir(tmp_path)
    with patch.dict(os.environ), ExitStack() as DOCUMENTS[name].namespace["opened"]:
        for example in DOCUMENTS[name].examples():
            example.evaluate()


def test_the_readme_has_code_blocks() -> None:
    assert "README.md" in DOCUMENTS
