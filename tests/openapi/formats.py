"""What schemathesis loads: how to write the formats of the document, and which key it must not end.

`CRONHOOK_TEST_RECEIVER` is where callbacks go, `CRONHOOK_TEST_KEY_ID` the id of the key that the run itself sends.
"""

import os
import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import schemathesis
from hypothesis import strategies as st

from cronhook_core.domain.time_zone import zone_names
from cronhook_server.routes.paging import write_cursor

RECEIVER = os.environ["CRONHOOK_TEST_RECEIVER"]
OWN_KEY = os.environ["CRONHOOK_TEST_KEY_ID"]
ANOTHER_KEY = "key_01arz3ndektsv4rrffq69g5fav"

_SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
_MANY_YEARS = int(timedelta(days=9 * 365).total_seconds())
_MONTHS = ("jan", "FEB", "Mar", "jun", "dec")
_WEEKDAYS = ("sun", "MON", "Wed", "fri", "0", "7", "mon#1", "5#2")
_ID_BODY = st.from_regex(r"\A[0-7][0-9a-hjkmnp-tv-z]{25}\Z")


def _field(lowest: int, highest: int, *more: str) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    written = number.map(str)
    pairs = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
    ranges = pairs.map(lambda ends: f"{ends[0]}-{ends[1]}")
    steps = st.integers(2, max(2, highest // 2)).map(lambda step: f"*/{step}")
    lists = st.lists(st.one_of(written, ranges), min_size=2, max_size=3).map(",".join)
    words = [st.sampled_from(more)] if more else []
    return st.one_of(st.just("*"), written, ranges, steps, lists, *words)


def _instant(seconds: int, offset: int) -> str:
    at = (_SOON + timedelta(seconds=seconds)).astimezone(timezone(timedelta(minutes=offset * 15)))
    return at.isoformat().replace("+00:00", "Z")


def _cursor(prefix: str) -> st.SearchStrategy[str]:
    return _ID_BODY.map(lambda body: write_cursor(f"{prefix}_{body}"))


FORMATS: dict[str, st.SearchStrategy[str]] = {
    "cron": st.one_of(
        st.sampled_from(["@hourly", "@daily", "@weekly", "@monthly", "@yearly"]),
        st.tuples(
            _field(0, 59), _field(0, 23), _field(1, 28, "L"), _field(1, 12, *_MONTHS), _field(0, 6, *_WEEKDAYS)
        ).map(" ".join),
    ),
    "time-zone": st.sampled_from(sorted(zone_names())),
    "instant": st.builds(_instant, st.integers(0, _MANY_YEARS), st.integers(-48, 56)),
    "uri": st.one_of(st.text(string.ascii_letters + string.digits + "-._~/", max_size=40), st.just("status/500")).map(
        lambda path: f"{RECEIVER}/{path}"
    ),  # what fails waits for its next attempt, and can be cancelled meanwhile
    "header-name": st.text(string.ascii_lowercase + string.digits + "!#$%&'*+-.^_`|~", max_size=20).map("x-{}".format),
    "job-cursor": _cursor("job"),
    "execution-cursor": _cursor("exe"),
}

for _name, _strategy in FORMATS.items():
    schemathesis.openapi.format(_name, _strategy)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A run that ended its own key would learn nothing more."""
    if case.path_parameters.get("key_id") == OWN_KEY:
        case.path_parameters["key_id"] = ANOTHER_KEY
