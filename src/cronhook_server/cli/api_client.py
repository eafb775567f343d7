"""The client that commands reach the server by, and its options."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import rich_click as click
from click.core import ParameterSource

from cronhook_server.cli.arguments import warn_of_arguments
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.failure import complain

if TYPE_CHECKING:
    from cronhook_client import Cronhook

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_MAX_RETRIES = 2
_UNSENT = "not-sent"
"""Stands for the key where a route needs none."""


def _warned(context: click.Context, option: click.Parameter, key: str | None) -> str | None:
    if option.name and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
        warn_of_arguments("the variable CRONHOOK_API_KEY does as well")
    return key


_base_url_option = click.option(
    "--base-url",
    envvar="CRONHOOK_BASE_URL",
    show_envvar=True,
    metavar="URL",
    help="Where the server is; else http://127.0.0.1:8080, where `cronhook up` listens.",
)
_api_key_option = click.option(
    "--api-key",
    envvar="CRONHOOK_API_KEY",
    show_envvar=True,
    metavar="KEY",
    callback=_warned,
    help="Rather by the variable: others on this machine see arguments.",
)


def client_options(command: F) -> F:
    """The options ``--base-url`` and ``--api-key``."""
    return _base_url_option(_api_key_option(command))


def with_client(command: Callable[Concatenate[Cronhook, P], T]) -> Callable[..., T]:
    """Call the command with a client, as the options ``--base-url`` and ``--api-key`` say."""

    @functools.wraps(command)
    def connected(*args: Any, base_url: str | None, api_key: str | None, **kwargs: Any) -> T:
        with open_client(base_url, api_key) as client:
            return command(client, *args, **kwargs)

    return client_options(connected)


def with_keyless_client(command: Callable[Concatenate[Cronhook, P], T]) -> Callable[..., T]:
    """`with_client`, for what the server tells everybody."""

    @functools.wraps(command)
    def connected(*args: Any, base_url: str | None, **kwargs: Any) -> T:
        with open_client(base_url, _UNSENT) as client:
            return command(client, *args, **kwargs)

    return _base_url_option(connected)


def open_client(base_url: str | None, api_key: str | None) -> Cronhook:
    """Raises `NoApiKey` and `ConfigurationError`."""
    from cronhook_client import Cronhook

    if not api_key:
        raise NoApiKey
    with warnings.catch_warnings(record=True) as caught:
        client = Cronhook(api_key, base_url=base_url or None, max_retries=_MAX_RETRIES)
    if api_key != _UNSENT:
        for warning in caught:
            complain(str(warning.message))
    return client


class NoApiKey(click.ClickException):
    exit_code = ExitCode.NOT_ALLOWED

    def __init__(self) -> None:
        super().__init__(
            "there is no API key: give --api-key or set CRONHOOK_API_KEY "
            "(on the server's machine, cronhook keys create --workspace NAME makes one)"
        )
