"""Reading answers: what they say, or which error they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from cronhook_client.errors import ApiError, UnexpectedAnswer, kind_of
from cronhook_client.exchange import HttpAnswer
from cronhook_core.errors import InvalidRequest
from cronhook_core.wire.problem import Problem

T = TypeVar("T")

_QUOTED_OF_STRANGERS = 200
"""Characters of an answer that is not the API's which an error repeats."""


def a(model: type[T]) -> Callable[[HttpAnswer], T]:
    """Reads this model of the wire; fields that this version does not know are passed over."""
    return lambda answer: _read(answer, model)


def nothing(_: HttpAnswer) -> None:
    """For answers without a body."""


def text(answer: HttpAnswer) -> str:
    return answer.body.decode("utf-8")


def any_json(answer: HttpAnswer) -> dict[str, Any]:
    value = json.loads(answer.body)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def value_of(answer: HttpAnswer, read: Callable[[HttpAnswer], T]) -> T:
    """What a successful answer says; raises `UnexpectedAnswer` where it cannot be read."""
    try:
        return read(answer)
    except InvalidRequest as error:
        places = "; ".join(f"{pointer or 'the body'} {reason}" for pointer, reason in error.problems)
        raise UnexpectedAnswer(f"the answer is not what this version of the client knows: {places}", answer) from error
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswer("the answer is not JSON: does base_url lead to cronhook?", answer) from error


def error_of(answer: HttpAnswer) -> ApiError | UnexpectedAnswer:
    """The error that an answer without success is."""
    if answer.status < 400:
        location = answer.headers.get("location")
        if location:
            return UnexpectedAnswer(f"the answer sends the client to {location}: correct base_url", answer)
        return UnexpectedAnswer("the answer is not one of cronhook's: does base_url lead to cronhook?", answer)
    problem = _problem(answer)
    return kind_of(answer.status, problem.code)(problem, answer)


def is_problem(answer: HttpAnswer) -> bool:
    return _media_type(answer) == "application/problem+json"


def is_json(answer: HttpAnswer) -> bool:
    """What the API says where it is no problem."""
    return _media_type(answer) == "application/json"


def _media_type(answer: HttpAnswer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _read(answer: HttpAnswer, model: type[T]) -> T:
    from cronhook_core.wire.converter import read_response  # loads cattrs: only who was answered pays for it

    return read_response(json.loads(answer.body), model)


def _problem(answer: HttpAnswer) -> Problem:
    if is_problem(answer):
        try:
            return _read(answer, Problem)
        except (ValueError, RecursionError, InvalidRequest):
            pass
    said = answer.body.decode("utf-8", "replace").strip()[:_QUOTED_OF_STRANGERS]
    return Problem(
        type="about:blank",
        title="Something else than cronhook's API answered",
        status=answer.status,
        detail=f"Something else than cronhook's API answered: {said!r}",
        instance="",
        code="unknown",
        request_id=answer.request_id or "",
    )
