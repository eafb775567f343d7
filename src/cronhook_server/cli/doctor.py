"""``cronhook doctor``"""

from __future__ import annotations

import os
import stat
import sys
import textwrap
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import rich_click as click
from attrs import asdict

from cronhook_core.domain.time_zone import zone_database_version
from cronhook_core.errors import ConfigurationError, CronhookError, MissingDependency, Unavailable
from cronhook_server import diagnosis
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.output import OutputFormat, output_option, print_json, print_line, print_text
from cronhook_server.cli.table import shown, styled, terminal_width
from cronhook_server.diagnosis import Check, Status, failed, ok, warning
from cronhook_server.examination import DatabaseFacts, examine_database, examine_redis, sqlite_file
from cronhook_server.process import run
from cronhook_server.secret_key import key_file_of
from cronhook_server.setting_values import masked_url
from cronhook_server.settings import Settings

_NAME_WIDTH = 16
_STATUS_WIDTH = 9
_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


@click.command("doctor")
@output_option()
def command(output: OutputFormat) -> None:
    """Check the installation that the settings describe, and say what to do. Nothing is changed.

    Run it with the settings of a server, on its machine. It looks at the database and its schema, at Redis, at the
    clocks, the secret key, the versions that schedules depend on, and at who may read the files. Exit code 1 when a
    check failed; a warning is none.

    \b
    Examples:
      cronhook doctor
      cronhook doctor -o json | jq '.checks[] | select(.status != "ok")'
    """
    checks = list(_checks())
    if output is OutputFormat.TABLE:
        for line in _told(checks):
            print_text(line)
    elif output is OutputFormat.JSON:
        print_json({"status": diagnosis.worst(checks), "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            print_line(asdict(check))
    if diagnosis.worst(checks) is Status.FAILED:
        sys.exit(ExitCode.FAILED)


def _checks() -> Iterator[Check]:
    yield ok("versions", f"cronhook {version('cronhook')}, Python {sys.version.split()[0]}")
    yield diagnosis.croniter_check(version("croniter"))
    try:
        settings = Settings.read(os.environ)
    except ConfigurationError as error:
        yield failed("settings", str(error), f"Correct {error.variable}.")
        return
    yield diagnosis.settings_check(settings.sources, settings.mistyped)
    facts = yield from _of_database(settings)
    remembered = None if facts is None else facts.zone_rules
    yield diagnosis.zone_rules_check(zone_database_version(), remembered, datetime.now(UTC).date())
    yield _of_secret_key(settings, None if facts is None else facts.key_id)
    yield from _of_redis(settings)
    yield from _of_files(settings)


def _of_database(settings: Settings) -> Generator[Check, None, DatabaseFacts | None]:
    file = sqlite_file(settings)
    shown_url = masked_url(settings.database_url)
    if file is not None and not file.exists():
        if not file.parent.is_dir():
            yield failed("database", f"there is no folder {file.parent}", "Make it, or correct CRONHOOK_DATABASE_URL.")
        else:
            advice = "`cronhook up` makes it at its first start. If there should be one: is this the right folder?"
            yield warning("database", f"there is no file {file.absolute()} yet", advice)
        return None
    try:
        facts = examine_database(settings)
    except (Unavailable, MissingDependency, ConfigurationError) as error:
        yield failed("database", f"{shown_url}: {error}", "See that it runs, and that CRONHOOK_DATABASE_URL is right.")
        return None
    yield ok("database", f"{facts.server} at {shown_url}")
    yield diagnosis.schema_check(facts.revision, facts.wanted, is_newer=facts.is_newer)
    if facts.clock_ahead is not None:
        yield diagnosis.clock_check("database clock", facts.clock_ahead)
    return facts


def _of_secret_key(settings: Settings, stored_key_id: str | None) -> Check:
    name, file = "secret key", sqlite_file(settings)
    if settings.secret_key is not None:
        source = {"file": "CRONHOOK_SECRET_KEY_FILE"}.get(
            settings.sources["CRONHOOK_SECRET_KEY"], "CRONHOOK_SECRET_KEY"
        )
        return diagnosis.secret_key_check(settings.secret_key, source, stored_key_id)
    if file is None:
        advice = "Set CRONHOOK_SECRET_KEY to a random text, the same for all processes: `openssl rand -base64 48`."
        return failed(name, "none is set, and Postgres needs one", advice)
    path = key_file_of(file)
    if not path.exists() and not file.exists():
        return ok(name, f"will be made at the first start, in {path.absolute()}")
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not text"
        advice = "Put the file back from where it was kept: without it no API key is known and no secret can be read."
        return failed(name, f"{path} cannot be read: {reason}", advice)
    return diagnosis.secret_key_check(text, str(path), stored_key_id)


def _of_redis(settings: Settings) -> Iterator[Check]:
    if settings.redis_url is None:
        instead = "this process" if sqlite_file(settings) is not None else "Postgres"
        yield ok("redis", f"is not set: {instead} carries the queue")
        return
    try:
        facts = run(examine_redis(settings.redis_url))
    except CronhookError as error:
        advice = "See that it runs, and that CRONHOOK_REDIS_URL is right. Until then all goes on, a little later."
        yield failed("redis", f"{masked_url(settings.redis_url)}: {error}", advice)
        return
    yield from diagnosis.redis_check(facts.server, facts.version, facts.eviction_policy)
    yield diagnosis.clock_check("redis clock", facts.clock_ahead)


def _of_files(settings: Settings) -> Iterator[Check]:
    made = [check for path, secret in _made_files(settings) for check in _of_file(path, secret=secret, made=True)]
    given = [check for path in _secret_files(settings) for check in _of_file(path, secret=True, made=False)]
    yield from made + given or [ok("files", "those that hold secrets are readable by who needs them alone")]


def _made_files(settings: Settings) -> Iterator[tuple[Path, bool]]:
    """What cronhook makes, and whether it holds a secret in the clear."""
    database = sqlite_file(settings)
    if database is not None:
        yield database, False
        yield key_file_of(database), True


def _secret_files(settings: Settings) -> Iterator[Path]:
    """What settings were read from."""
    for variable, source in settings.sources.items():
        if source == "file":
            yield Path(os.environ[f"{variable}_FILE"])


def _of_file(path: Path, *, secret: bool, made: bool) -> Iterator[Check]:
    user = os.geteuid()
    try:
        found, folder = path.stat(), path.absolute().parent.stat()
    except OSError:  # what cannot be seen is told by other checks
        return
    wrong_owner = diagnosis.owner_check(path, found.st_uid, folder.st_uid) if made and user == 0 else None
    exposed = diagnosis.file_check(path, stat.S_IMODE(found.st_mode), secret=secret, own=found.st_uid == user)
    yield from (check for check in (wrong_owner, exposed) if check is not None)


def _told(checks: Sequence[Check]) -> Iterator[str]:
    width = terminal_width()
    for check in checks:
        status = f"{check.status:<{_STATUS_WIDTH}}"
        if width is not None:
            status = styled(status, fg=_COLOURS[check.status])
        margin = " " * (_STATUS_WIDTH + _NAME_WIDTH)
        first, *rest = _folded(shown(check.detail), width)
        yield f"{status}{check.name:<{_NAME_WIDTH}}{first}"
        yield from (margin + line for line in rest)
        if check.advice is not None:
            yield from (
                f"{margin}{'-> ' if n == 0 else '   '}{line}" for n, line in enumerate(_folded(check.advice, width))
            )
    counts = [sum(check.status is status for check in checks) for status in Status]
    yield f"{counts[0]} ok, {counts[1]} to look at, {counts[2]} failed."


def _folded(text: str, width: int | None) -> list[str]:
    if width is None:
        return [text]
    room = max(width - _STATUS_WIDTH - _NAME_WIDTH - 3, 20)
    return textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False)
