"""Objects that stand before what implements a port, so that a test decides what happens around each of its calls."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Around(Protocol):
    """What is done with a call of the port's ``method``: it may await ``call()`` once, never, or several times."""

    async def __call__(self, method: str, call: Callable[[], Awaitable[Any]], /) -> Any: ...


def port_methods(port: type[Any]) -> list[str]:
    """The coroutine methods that a port asks for, also those of the ports it is made of, in alphabetical order."""
    declared = {name: member for base in reversed(port.__mro__) for name, member in vars(base).items()}
    return sorted(name for name, member in declared.items() if inspect.iscoroutinefunction(member))


def interposed(target: T, port: type[Any], around: Around) -> T:
    """An implementation of ``port`` that asks ``around`` what to do with each call of a coroutine method of ``target``.

    Everything else of ``target`` is reached through it as it is.
    """
    made: T = _class_for(port)(target, around)
    return made


class _Interposed:
    __slots__ = ("_around", "_target")

    def __init__(self, target: object, around: Around) -> None:
        self._target = target
        self._around = around

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def _class_for(port: type[Any]) -> Any:
    methods = {name: _method(name) for name in port_methods(port)}
    return type(f"Interposed{port.__name__}", (_Interposed,), methods)


def _method(name: str) -> Callable[..., Awaitable[Any]]:
    async def method(self: _Interposed, *args: Any, **named: Any) -> Any:
        return await self._around(name, partial(getattr(self._target, name), *args, **named))

    return method
