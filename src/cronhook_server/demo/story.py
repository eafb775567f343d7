"""What the demo shows: retries, a cron job, signatures and the log, each as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import define, field
from rich.console import Console
from rich.table import Table

from cronhook_core.domain.execution import Attempt
from cronhook_core.domain.job import Job, JobDefinition
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.domain.webhook import Outcome
from cronhook_server.demo.receiver import Receiver
from cronhook_server.demo.stage import Ended, Stage, stage

ALL_WITHIN_SECONDS = 14.0
_AHEAD = timedelta(seconds=1)
_DELAYS = (timedelta(seconds=1), timedelta(seconds=2))
_ONCE, _CRON = "/invoices", "/reports"
_STATUSES = {_ONCE: [500, 503, 200], _CRON: [200]}


class NotSeen(Exception):
    """Something that the demo promises did not happen."""


@define
class Tally:
    """What was seen so far."""

    requests: int = 0
    verified: int = 0
    retries: int = 0
    ended: list[Ended] = field(factory=list)


async def tell(console: Console) -> None:
    """Play the whole demo; raises `NotSeen` where it does not come to its end."""
    tally = Tally()
    statuses = {path: list(statuses) for path, statuses in _STATUSES.items()}
    try:
        async with asyncio.timeout(ALL_WITHIN_SECONDS), stage(Receiver(statuses)) as on:
            console.print("[bold]cronhook demo[/]  real requests, to a receiver on this machine; nothing is kept\n")
            once = await _one_time_job(console, on, tally)
            cron = await _cron_job(console, on, tally)
            await _log(console, on, (once, cron))
    except TimeoutError:
        raise NotSeen(f"the demo did not come to its end within {ALL_WITHIN_SECONDS:g} seconds") from None
    _check(tally)
    console.print(
        f"\n[bold green]All seen:[/] {tally.requests} requests, {tally.verified} valid signatures,"
        f" {tally.retries} retries. Now your own: [bold]cronhook up[/]"
    )


async def _one_time_job(console: Console, on: Stage, tally: Tally) -> Job:
    _heading(console, 1, "A one-time job whose receiver fails twice")
    run_at = on.clock.now() + _AHEAD
    job = await on.jobs.create(
        on.workspace_id,
        JobDefinition(
            name="invoice",
            schedule=OneTimeSchedule(run_at),
            callback_url=on.receiver.url(_ONCE),
            payload=b'{"invoice": 42}',
            retry_policy=RetryPolicy(delays=_DELAYS),
        ),
    )
    console.print(f"  {job.id} runs once at {run_at:%H:%M:%S.%f} UTC, retries after 1 s and 2 s (± 10 %)")
    for _ in range(1 + len(_DELAYS)):
        await _attempt(console, on, tally)
    job = await on.jobs.get(on.workspace_id, job.id)
    console.print(f"  The job is {job.status}: {job.inactive_reason}.")
    return job


async def _cron_job(console: Console, on: Stage, tally: Tally) -> Job:
    _heading(console, 2, "A cron job, run by hand")
    schedule = CronSchedule("0 9 * * MON-FRI", "Europe/Berlin")
    job = await on.jobs.create(
        on.workspace_id,
        JobDefinition(name="report", schedule=schedule, callback_url=on.receiver.url(_CRON)),
    )
    console.print(f"  {job.id} runs on [bold]{schedule.expression}[/] in {schedule.timezone}, next at")
    for instant in schedule.instants(job.created_at, 3):
        console.print(f"    {schedule.local(instant):%a %d %b %Y %H:%M %Z}  =  {instant:%H:%M} UTC")
    execution = await on.jobs.run(on.workspace_id, job.id)
    console.print(f"  {execution.id} is queued now, beside the schedule")
    await _attempt(console, on, tally)
    return job


async def _attempt(console: Console, on: Stage, tally: Tally) -> None:
    """Wait for the next attempt to end, and show it."""
    with console.status("  waiting for the next request"):
        ended = await on.ended.get()
    tally.ended.append(ended)
    tally.requests += 1
    tally.verified += ended.verified
    tally.retries += ended.verdict.next_attempt_at is not None
    since = ended.report.finished_at - ended.report.duration - ended.claim.scheduled_for
    signature = "[green]signature valid[/]" if ended.verified else "[red]signature WRONG[/]"
    console.print(
        f"  {since.total_seconds():+6.2f} s  POST  attempt {ended.claim.attempt_no}  {signature}"
        f"  answered {_status(ended)}{_what_follows(ended)}"
    )


def _status(ended: Ended) -> str:
    result = ended.report.result
    colour = "green" if result.outcome is Outcome.SUCCEEDED else "yellow"
    return f"[{colour}]{result.response_status or result.outcome}[/]"


def _what_follows(ended: Ended) -> str:
    at = ended.verdict.next_attempt_at
    if at is not None:
        return f", again in {(at - ended.report.finished_at).total_seconds():.2f} s"
    return f", execution {ended.verdict.status}"


async def _log(console: Console, on: Stage, jobs: Sequence[Job]) -> None:
    _heading(console, 3, "The log: one row per attempt")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for title in ("  started", "job", "attempt", "status", "response", "duration", "again at"):
        table.add_column(title, no_wrap=True)
    for job in jobs:
        attempts, _ = await on.jobs.logs(on.workspace_id, job.id, oldest_first=True)
        for attempt in attempts:
            table.add_row(*_row(job, attempt))
    console.print(table)


def _row(job: Job, attempt: Attempt) -> tuple[str, ...]:
    milliseconds = 0.0 if attempt.duration is None else attempt.duration / timedelta(milliseconds=1)
    return (
        f"  {_time(attempt.started_at)}",
        job.definition.name,
        str(attempt.attempt_no),
        attempt.status,
        f"{attempt.response_status} {attempt.response_body}",
        f"{milliseconds:.1f} ms",
        "" if attempt.next_attempt_at is None else _time(attempt.next_attempt_at),
    )


def _time(instant: datetime) -> str:
    return f"{instant:%H:%M:%S.%f}"[:-3]


def _heading(console: Console, number: int, text: str) -> None:
    console.print(f"{'' if number == 1 else chr(10)}[bold cyan]{number}[/]  [bold]{text}[/]")


def _check(tally: Tally) -> None:
    statuses = [ended.report.result.response_status for ended in tally.ended]
    if statuses != [*_STATUSES[_ONCE], *_STATUSES[_CRON]]:
        raise NotSeen(f"the receiver's answers were {statuses}")
    if tally.verified != tally.requests:
        raise NotSeen(f"only {tally.verified} of {tally.requests} signatures were valid")
