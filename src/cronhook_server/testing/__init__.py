"""What helps to test programs that use cronhook; nothing that runs in production imports it.

`InProcessServer` and `AsyncInProcessServer` are whole servers on memory and a virtual clock, without a port. A name's
module is loaded when the name is first used: pytest loads this package in every program that has cronhook installed.
The servers need the extra ``server``; without it `MissingDependency` is raised then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronhook_server.testing.async_server import AsyncInProcessServer
    from cronhook_server.testing.known import API_KEY, BASE_URL, SIGNING_SECRET
    from cronhook_server.testing.receivers import NoReceiver
    from cronhook_server.testing.sent_webhook import SentWebhook
    from cronhook_server.testing.server import InProcessServer
    from cronhook_server.testing.signed import SignedRequest, signed_request

__all__ = [
    "API_KEY",
    "BASE_URL",
    "SIGNING_SECRET",
    "AsyncInProcessServer",
    "InProcessServer",
    "NoReceiver",
    "SentWebhook",
    "SignedRequest",
    "signed_request",
]

_HOMES = {
    "API_KEY": "known",
    "AsyncInProcessServer": "async_server",
    "BASE_URL": "known",
    "InProcessServer": "server",
    "NoReceiver": "receivers",
    "SIGNING_SECRET": "known",
    "SentWebhook": "sent_webhook",
    "SignedRequest": "signed",
    "signed_request": "signed",
}

if not TYPE_CHECKING:  # a checker would take any name for a public one

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        except ModuleNotFoundError as missing:
            from cronhook_core.errors import MissingDependency

            raise MissingDependency("server", missing.name or name) from missing
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
