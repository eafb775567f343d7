import json
from pathlib import Path

import pytest

from cronhook_core.domain import second_reading
from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.domain.second_reading import require_one_reading
from cronhook_core.errors import InvalidCron

CORPUS = json.loads((Path(__file__).parent / "corpus.json").read_text())


@pytest.mark.parametrize(
    "line",
    [
        "*/15 9-17 * * mon-fri",
        "0 0 L,15 * *",
        "0 9 1 * 2#2",
        "5 4 * * 7",
        "@daily",
        "0 0 * * mon#1,wed",
        "0 0 *,L * *",
        "0 0 L,* * *",
        "0 0 1-31,L * *",
    ],
)
def test_lines_that_both_read_alike_pass(line: str) -> None:
    require_one_reading(line)


def test_a_line_that_the_library_reads_differently_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require_one_reading.cache_clear()
    monkeypatch.setattr(
        second_reading, "_read_by_croniter", lambda _: [{0}, {8}, set(range(1, 32)), set(range(1, 13)), set(range(7))]
    )
    with pytest.raises(InvalidCron, match="read this hour differently") as refused:
        CronSchedule("0 9 * * *")
    assert refused.value.field == "hour"
    assert CronSchedule.stored("0 9 * * *", "UTC").expression == "0 9 * * *"


def test_every_line_of_the_corpus_has_one_reading() -> None:
    lines = {row["expression"] for row in CORPUS}
    assert len(lines) > 20
    for line in lines:
        require_one_reading(line)
