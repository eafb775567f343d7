"""Records ``cronhook demo`` in a terminal and draws its last screen: ``python docs/pictures/record_demo.py``.

Nothing in the picture is made up: it is what the demo printed, to a terminal of 104 columns.
"""

from __future__ import annotations

import io
import os
import pty
import re
import struct
import sys
import termios
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS = 104
PICTURE = Path(__file__).with_name("demo.svg")
THEME = TerminalTheme(
    (22, 24, 29),
    (214, 218, 226),
    [
        (60, 64, 74),
        (240, 113, 120),
        (126, 201, 136),
        (235, 203, 139),
        (130, 170, 255),
        (199, 146, 234),
        (122, 200, 214),
        (214, 218, 226),
    ],
)
FORM = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def recorded(*command: str) -> str:
    """All that the command prints to a terminal; RuntimeError unless it ends well."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS))
        os.execvp(command[0], command)  # noqa: S606 - the child becomes the command
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    printed = b""
    try:
        while piece := os.read(terminal, 65536):
            printed += piece
    except OSError:  # the command has ended
        pass
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError(printed.decode(errors="replace"))
    return _as_it_stands(printed.decode().replace("\r\n", "\n")).strip("\n")


def _as_it_stands(printed: str) -> str:
    """What the screen shows in the end: lines that were erased, or climbed up to and erased, are gone."""
    without_climbing = re.sub(r"[^\n]*\n[^\n]*\r\x1b\[1A\x1b\[2K", "", printed)
    return re.sub(r"[^\n]*\r\x1b\[2K|\x1b\[\?25[lh]", "", without_climbing)


def drawn(printed: str, title: str) -> str:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text("$ cronhook demo\n", style="bold"))
    console.print(Text.from_ansi(printed))
    return console.export_svg(title=title, theme=THEME, code_format=FORM, unique_id="demo")


if __name__ == "__main__":
    command = Path(sys.executable).with_name("cronhook")
    picture = "\n".join(line.rstrip() for line in drawn(recorded(str(command), "demo"), "cronhook").splitlines())
    PICTURE.write_text(f"{picture}\n")
