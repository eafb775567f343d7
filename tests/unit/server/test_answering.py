"""What an answer says: the JSON value of its model, its fields in their order, to the last digit."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cronhook_core.domain.job import Job
from cronhook_core.testing.builders import NOW, make_definition, make_job, make_key
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.strict_json import render_json
from cronhook_core.wire.v1 import Health, HealthCheck, HealthStatus, JobPage, JobRead, KeyList, KeyRead
from cronhook_server.answering import answer

ODD = datetime(2026, 3, 2, 12, 0, 0, 73_800, tzinfo=timezone(timedelta(hours=5, minutes=45)))
CHECK = HealthCheck(name="database", status=HealthStatus.OK, latency_ms=0.25)


def job(payload: bytes = b"null", **changes: Any) -> Job:
    return make_job(
        "wsp_1", definition=make_definition(payload=payload, tags=("é", '"'), metadata={"a": "\x7f"}), **changes
    )


MODELS = [
    JobRead.of(job()),
    JobRead.of(job(b'{"b":[1.5,-0.0,1e-7,true,null,"\\u2028\\u0001 \\ud83e\\udd8a"],"a":{}}')),
    JobRead.of(job(b"123456789012345678901234567890")),
    JobRead.of(job(b'{"n":123456789012345678901234567890,"n2":[[],[{}]]}')),
    JobRead.of(job(next_run=ODD, last_run=ODD.astimezone(UTC), created_at=NOW)),
    JobPage(data=(JobRead.of(job()), JobRead.of(job(), with_payload=False)), next_cursor=None),
    KeyList(data=(KeyRead.of(make_key("wsp_1")),)),
    Health(status=HealthStatus.DEGRADED, checks=(CHECK,)),
]


@pytest.mark.parametrize(
    ("payload", "read"), [(b'{"n":NaN,"m":[-Infinity,1e999]}', {"n": None, "m": [None, None]}), (b'"a\xff"', "a\ufffd")]
)
def test_what_a_program_stored_that_is_not_quite_json_can_be_read(payload: bytes, read: object) -> None:
    """One such job would make pages of all others unreadable."""
    assert json.loads(answer(JobRead.of(job(payload))).body)["payload"] == read


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_says_its_model(model: object) -> None:
    body, wanted = answer(model).body, render_json(to_json(model))
    assert json.loads(body, object_pairs_hook=list) == json.loads(wanted, object_pairs_hook=list)
    assert repr(json.loads(body)) == repr(json.loads(wanted))
