"""A smaller run; ``python -m tests.openapi`` is the long one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import Up
from tests.openapi.fuzzing import SETTINGS, Fuzzing
from tests.receiver import Receiver

pytestmark = pytest.mark.suite("integration")


@pytest.fixture(params=["sqlite", "postgres"])
def fuzzing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fuzzing]:
    on_postgres = {"database_url": request.getfixturevalue("postgres_url")} if request.param == "postgres" else {}
    with Receiver() as receiver, Up(tmp_path, **SETTINGS, **on_postgres) as up:
        yield Fuzzing(up, receiver)


def test_the_document_and_the_server_agree(fuzzing: Fuzzing) -> None:
    ran = fuzzing.run(examples=4, seed=20261124)
    assert ran.exit_code == 0, ran.output
    assert ran.tested == len(fuzzing.operations())
    assert fuzzing.never(range(200, 500)) == []
    assert fuzzing.answers().total() > 1000
