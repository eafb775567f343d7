"""The options that say what a job is, when it is created and when it is changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import rich_click as click

from cronhook_server.cli.arguments import DELAYS, DURATION, HEADER, IN_A_WHILE, INSTANT, PAIR, PAYLOAD, Payload

F = TypeVar("F", bound=Callable[..., Any])

CLEARED: dict[str, Any] = {
    "headers": {},
    "payload": None,
    "timeout": None,
    "retry-delays": (),
    "tags": (),
    "metadata": {},
    "timezone": None,
}
"""What may be taken away, and what it is then."""
_NAMES = {"timeout": "timeout_seconds", "retry-delays": "retry_delays_seconds"}

_SCHEDULE = (
    click.option("--cron", metavar="LINE", help="Five fields, such as '30 2 * * 1-5', or @daily and the like."),
    click.option("--timezone", "-z", metavar="ZONE", help="Whose clock --cron means, such as Europe/Berlin; else UTC."),
    click.option("--run-at", type=INSTANT, help="Once, at this instant: 2030-01-31T08:00:00Z, or with an offset."),
    click.option("--in", "run_in", type=IN_A_WHILE, help="Once, in a while: 90s, 5m, 2h or 1d."),
)
_REQUEST = (
    click.option(
        "--header",
        "headers",
        type=HEADER,
        multiple=True,
        help="'Name: value' or 'Name: @FILE'; may be given again.",
    ),
    click.option("--payload", type=PAYLOAD, help="The body: JSON, or @FILE, or - for standard input."),
    click.option("--timeout", type=DURATION, help="For one attempt, 1s to 60s; else what the server says, 10s."),
    click.option("--retry-delays", type=DELAYS, help="After each failure, such as 30,2m,10m (the default), or none."),
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="To find it by; may be given again."),
    click.option("--metadata", type=PAIR, multiple=True, help="Text of your own kept with it; may be given again."),
)


def job_options(*, required: bool) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        name = click.option("--name", required=required, metavar="TEXT", help="For people; need not be unique.")
        url = click.option(
            "--url",
            "--callback-url",
            "callback_url",
            required=required,
            metavar="URL",
            help="Where to POST to, http or https.",
        )
        for option in reversed((name, url, *_SCHEDULE, *_REQUEST)):
            function = option(function)
        return function

    return decorate


def fields_of(
    *,
    run_in: datetime | None,
    timeout: float | None,
    retry_delays: tuple[float, ...] | None,
    payload: Payload | None,
    **options: Any,
) -> dict[str, Any]:
    """The arguments for the client that the options say; what was not given is not among them."""
    if run_in is not None:
        if options["run_at"] is not None:
            raise click.UsageError("--in and --run-at both say when: give one of them")
        options["run_at"] = run_in
    for name in ("headers", "metadata"):
        options[name] = _unique(name, options[name])
    given = {name: value for name, value in options.items() if value not in (None, (), {})}
    if timeout is not None:
        given["timeout_seconds"] = timeout
    if retry_delays is not None:
        given["retry_delays_seconds"] = retry_delays
    return given | ({} if payload is None else {"payload": payload.value})


def cleared(names: tuple[str, ...]) -> dict[str, Any]:
    return {_NAMES.get(name, name): CLEARED[name] for name in names}


def _unique(name: str, pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    keys = [key.lower() if name == "headers" else key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise click.UsageError(f"--{'header' if name == 'headers' else name} {twice} is given twice")
    return dict(pairs)
