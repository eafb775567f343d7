"""Which error says that a request has these problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar, cast

from cronhook_core.errors import (
    InvalidCallbackUrl,
    InvalidCron,
    InvalidHeaders,
    InvalidRequest,
    InvalidRunAt,
    InvalidTimezone,
)

P = ParamSpec("P")
T = TypeVar("T")

_BY_FIELD: dict[str, type[InvalidRequest]] = {
    kind.default_pointer: kind for kind in (InvalidCallbackUrl, InvalidHeaders, InvalidRunAt, InvalidTimezone)
}


def refusal(problems: Sequence[tuple[str, str]]) -> InvalidRequest:
    """One error for one or more (pointer, reason) pairs.

    It is of a special kind only where all problems lie in the field that this kind is about.
    """
    fields = {_field(pointer) for pointer, _ in problems}
    pointer, reason = problems[0]
    if len(fields) == 1:
        field = fields.pop()
        if field == InvalidCron.default_pointer:
            return InvalidCron(reason)
        return _BY_FIELD.get(field, InvalidRequest)(reason, pointer=pointer, problems=problems)
    return InvalidRequest(f"{len(problems)} fields are wrong", pointer="", problems=problems)


class Attempts:
    """Calls functions and keeps what they refuse."""

    def __init__(self) -> None:
        self._errors: list[InvalidRequest] = []

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's answer. After a refusal, what is returned must not be used: the block will raise."""
        try:
            return function(*args, **kwargs)
        except InvalidRequest as error:
            self._errors.append(error)
            return cast("T", None)

    @property
    def failed(self) -> bool:
        return bool(self._errors)

    def check(self) -> None:
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise refusal([problem for error in self._errors for problem in error.problems])


@contextmanager
def gathered() -> Iterator[Attempts]:
    """Raise, at the end of the block, one error for all that was refused within it."""
    attempts = Attempts()
    yield attempts
    attempts.check()


def _field(pointer: str) -> str:
    return "/".join(pointer.split("/")[:2])
