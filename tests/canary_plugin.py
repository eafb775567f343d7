"""A pytest plugin that looks at everything a run puts out: no planted secret may show.

What is looked at: what every test prints and logs; all answers over HTTP, metrics pages and errors included; every file
that tests and daemons leave in temporary folders, and so the logs of all processes. A leak fails the run when its last
test has ended, and names the place.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.canaries import LOOKOUT
from tests.watchdog import WATCHDOG


def pytest_configure(config: pytest.Config) -> None:
    send, send_async = httpx.Client.send, httpx.AsyncClient.send

    def looked_at(client: httpx.Client, *arguments: Any, **options: Any) -> httpx.Response:
        response = send(client, *arguments, **options)
        LOOKOUT.look_at_answer(response)
        return response

    async def looked_at_async(client: httpx.AsyncClient, *arguments: Any, **options: Any) -> httpx.Response:
        response = await send_async(client, *arguments, **options)
        LOOKOUT.look_at_answer(response)
        return response

    httpx.Client.send = looked_at  # type: ignore[method-assign, assignment]
    httpx.AsyncClient.send = looked_at_async  # type: ignore[method-assign, assignment]
    config.add_cleanup(lambda: _restore(send, send_async))


def _restore(send: Any, send_async: Any) -> None:
    httpx.Client.send, httpx.AsyncClient.send = send, send_async  # type: ignore[method-assign]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for title, text in report.sections:
        LOOKOUT.look(f"the {title.lower()} of {report.nodeid}", text)


@pytest.fixture(scope="session", autouse=True)
def no_canary_shows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set up before all other fixtures, and so the last to end."""
    yield
    LOOKOUT.look_into(tmp_path_factory.getbasetemp())
    for folder in WATCHDOG.folders:
        LOOKOUT.look_into(folder)
    if LOOKOUT.leaks:
        pytest.fail("secrets show:\n" + "\n".join(LOOKOUT.leaks), pytrace=False)
