"""``cronhook migrate``"""

from __future__ import annotations

import os
import sys

import rich_click as click

from cronhook_server.composition import accept_secret_key, migrate
from cronhook_server.process import run
from cronhook_server.setting_values import masked_url
from cronhook_server.settings import Settings


@click.command("migrate")
@click.option(
    "--new-secret-key",
    is_flag=True,
    help="Accept another CRONHOOK_SECRET_KEY than the database was made with: that one is lost, or became known.",
)
def command(new_secret_key: bool) -> None:
    """Bring the database of CRONHOOK_DATABASE_URL to the schema of this version.

    It may run while servers do, and again: what is done is not done twice.

    With another secret key all API keys and signing secrets are others, and secret headers that are stored can no
    longer be read: make new keys, give receivers their new secrets, and write those headers again.

    \b
    Example:
      CRONHOOK_DATABASE_URL=postgresql://cronhook@db/cronhook cronhook migrate
    """
    settings = Settings.read(os.environ)
    revision, wanted = migrate(settings)
    sys.stdout.write(f"{masked_url(settings.database_url)} has schema {revision}.\n")
    if revision != wanted:
        sys.stdout.write(
            f"This version needs {wanted}, and does not know {revision}: nothing was changed. It was made by a later"
            " version, so update this one; or before the first release, then make a new database.\n"
        )
    if new_secret_key:
        sys.stdout.write(f"It belongs to the secret key {run(accept_secret_key(settings))} from now on.\n")
