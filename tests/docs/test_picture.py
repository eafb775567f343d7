"""The picture of the demo is a recording, and shows itself without asking anybody."""

import re
import runpy
from pathlib import Path

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
RECORDER = runpy.run_path(str(PICTURES / "record_demo.py"))


def test_it_needs_nothing_from_elsewhere() -> None:
    picture = PICTURES.joinpath("demo.svg").read_text()
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in picture
    assert "All&#160;seen:" in picture


def test_what_was_erased_is_not_shown() -> None:
    stands = RECORDER["_as_it_stands"]
    waiting = "\x1b[?25l* waits\r\x1b[2K+ waits\n\x1b[?25h\r\x1b[1A\x1b[2K"
    assert stands(f"first\n{waiting}second\n{waiting}third") == "first\nsecond\nthird"


def test_colours_are_kept() -> None:
    drawn = RECORDER["drawn"]("\x1b[32mgood\x1b[0m & <plain>", "a title")
    assert "#7ec988" in drawn
    assert "&amp;&#160;&lt;plain&gt;" in drawn
    assert "a&#160;title" in drawn
