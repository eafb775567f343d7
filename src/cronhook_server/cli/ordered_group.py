"""Groups of commands whose help lists them in the order in which they are written."""

from __future__ import annotations

import rich_click as click

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class OrderedGroup(click.RichGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)
