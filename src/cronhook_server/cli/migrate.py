"""``cronhook migrate``"""

from __future__ import annotations

import os
import sys

import rich_click as click

from cronhook_server.composition import migrate
from cronhook_server.setting_values import masked_url
from cronhook_server.settings import Settings


@click.command("migrate")
def command() -> None:
    """Bring the database of CRONHOOK_DATABASE_URL to the schema of this version.

    It may run while servers do, and again: what is done is not done twice.
    """
    settings = Settings.read(os.environ)
    revision = migrate(settings)
    sys.stdout.write(f"{masked_url(settings.database_url)} has schema {revision}.\n")
