from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from tests.acceptance.running import Up
from tests.machine import machine_delay
from tests.receiver import Receiver


@attrs.frozen(kw_only=True)
class EveryMinute:
    """A server with a job on `* * * * *`, stored when the session began.

    ``delay`` is by how many seconds at most the machine has been late since.
    """

    up: Up
    receiver: Receiver
    job_id: str
    delay: Callable[[], float]


@pytest.fixture(scope="session", autouse=True)
def every_minute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryMinute]:
    """Begins with the first test here, so that its minutes go by while others run."""
    with machine_delay() as delay, Receiver() as receiver, Up(tmp_path_factory.mktemp("every-minute")) as up:
        job = up.create(cron="* * * * *", callback_url=receiver.url("/minute"))
        yield EveryMinute(up=up, receiver=receiver, job_id=job["id"], delay=delay)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Last of all comes what waits for minutes."""
    items.sort(key=lambda item: item.name == "test_a_job_of_every_minute_runs_at_the_minute_and_at_the_next")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path) as running:
        yield running


@pytest.fixture
def delay() -> Iterator[Callable[[], float]]:
    """By how many seconds at most the machine has been late since the test began: no fault of the server's."""
    with machine_delay() as delay:
        yield delay
