"""``cronhook backup``"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import rich_click as click

from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.failure import complain
from cronhook_server.cli.output import OutputFormat, output_option, print_one


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@output_option()
def command(file: Path, output: OutputFormat) -> None:
    """Copy the SQLite file of CRONHOOK_DATABASE_URL to FILE, while everybody works on.

    FILE holds one moment's state, was checked, is readable by its owner alone, and takes the place of an older copy
    only when it is complete. Keep the secret key as well, elsewhere: without it no API key is known, and secret headers
    cannot be read. For Postgres use pg_dump.

    \b
    Examples:
      cronhook backup /var/backups/cronhook.db
      cronhook backup "cronhook-$(date +%F).db"
    """
    from cronhook_server.examination import back_up
    from cronhook_server.settings import Settings

    settings = Settings.read(os.environ)
    try:
        schema = back_up(settings, file)
    except OSError as error:
        complain(f"{file} cannot be written: {(error.strerror or str(error)).lower()}")
        sys.exit(ExitCode.FAILED)
    print_one({"file": str(file), "bytes": file.stat().st_size, "schema": schema}, output)
    if output is OutputFormat.TABLE and settings.secret_key is None and sys.stdout.isatty():
        click.echo("Its secret key is not in it: keep the file NAME.key beside the database as well.", err=True)
