"""Partial updates of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from attrs import evolve

from cronhook_core.domain.callback_headers import MASK
from cronhook_core.domain.job import NULL_PAYLOAD, JobDefinition
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.errors import Conflict, InvalidRequest
from cronhook_core.wire.converter import read_request, to_json
from cronhook_core.wire.job import JobWrite

_SCHEDULE = frozenset({"cron", "run_at", "timezone"})


def patched(
    definition: JobDefinition,
    changes: object,
    *,
    default_timeout: timedelta,
    check_target: Callable[[str], object] | None = None,
) -> JobDefinition:
    """The definition with the fields of ``changes``, a JSON object, in the place of its own.

    Lists and maps are replaced whole. ``cron`` and ``run_at`` change places: giving one takes the other (and with
    ``run_at`` the time zone) away. A secret header given as ``MASK`` keeps its stored value. Raises `InvalidRequest` as
    creating such a job would, and `Conflict` for a time zone alone where the job runs once.
    """
    if not isinstance(changes, dict):
        raise InvalidRequest("must be an object")
    _check_schedule(definition, changes)
    fields = to_json(JobWrite.of(evolve(definition, payload=NULL_PAYLOAD))) | _without_other_schedule(changes) | changes
    fields["headers"] = _unmasked(fields["headers"], dict(definition.headers))
    written = read_request(fields, JobWrite)
    changed = written.to_definition(
        default_timeout=default_timeout,
        stored_headers=definition.headers,
        stored_schedule=None if changes.keys() & _SCHEDULE else definition.schedule,
        check_target=check_target,
    )
    return changed if "payload" in changes else evolve(changed, payload=definition.payload)


def names_schedule(changes: object) -> bool:
    """Whether ``changes`` say when the job is to run."""
    return isinstance(changes, dict) and any(changes.get(name) is not None for name in _SCHEDULE)


def _check_schedule(definition: JobDefinition, changes: Mapping[str, Any]) -> None:
    """What is wrong whatever the job is like is the request's fault; the rest, a conflict with the job."""
    named = [name for name in ("cron", "run_at") if name in changes]
    if named and all(changes[name] is None for name in named):
        reason = "a job keeps a schedule: give the one that is to take its place"
        raise InvalidRequest(reason, pointer=f"/{named[0]}", problems=[(f"/{name}", reason) for name in named])
    if not named and changes.get("timezone") is not None and isinstance(definition.schedule, OneTimeSchedule):
        raise Conflict("the job runs once, at an instant with an offset of its own: give it a cron line with the zone")


def _without_other_schedule(changes: Mapping[str, Any]) -> dict[str, None]:
    if changes.get("run_at") is not None:
        return {"cron": None, "timezone": None}
    return {"run_at": None} if changes.get("cron") is not None else {}


def _unmasked(headers: Any, stored: Mapping[str, str]) -> Any:
    if not isinstance(headers, dict):
        return headers
    by_name = {name.lower(): value for name, value in stored.items()}
    return {name: by_name.get(name.lower(), value) if value == MASK else value for name, value in headers.items()}
