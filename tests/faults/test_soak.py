"""The soak's own rules: its plan comes from the seed alone, and what it blames on a fault is what that fault hit."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs
import pytest

from tests.faults.changed_history import all_later
from tests.faults.history import Bounds, Fault, FaultLog
from tests.faults.made_history import NOON, a_good_history
from tests.faults.oracle import judge
from tests.faults.scripted_receiver import ROOT
from tests.faults.soak.breaking import BREAKS
from tests.faults.soak.card import card, class_of
from tests.faults.soak.findings import Registration, faults_of, ids_between
from tests.faults.soak.injector import Happened
from tests.faults.soak.kinds import (
    ALL_WORKERS,
    DAEMONS,
    KINDS,
    LEADER,
    LOAD,
    POSTGRES,
    RECEIVER,
    REDIS,
    ROW,
    links,
    parts,
)
from tests.faults.soak.members import MEMBERS
from tests.faults.soak.plan import ALONE_EVERY, CALM, STORM, PlannedFault, draw_plan
from tests.faults.soak.watch import is_healthy

MINUTE = 60.0
SECOND = timedelta(seconds=1)


def happened(name: str, target: str, began: float, ended: float) -> Happened:
    kind = next(kind for kind in KINDS if kind.name == name and target in kind.targets)
    planned = PlannedFault(at=began, kind=kind, target=target, seconds=ended - began, size=0)
    at = NOON + began * SECOND
    return Happened(planned=planned, target=target, began=at, hit=at, ended=NOON + ended * SECOND)


def attempt(worker: str, began: float, ended: float | None, **changes: object) -> dict[str, object]:
    row = {
        "worker_id": worker,
        "started_at": NOON + began * SECOND,
        "finished_at": None if ended is None else NOON + ended * SECOND,
        "outcome": "succeeded",
        "late": False,
    }
    return row | changes


REGISTRATIONS = {
    "worker-1": [Registration(NOON, "wrk_1"), Registration(NOON + 100 * SECOND, "wrk_3")],
    "worker-2": [Registration(NOON, "wrk_2")],
}


def faults(*all_of: Happened, attempts: Sequence[dict[str, object]] = ()) -> list[Fault]:
    return faults_of(all_of, attempts, REGISTRATIONS)


# The plan.


def test_one_storm_in_four_is_one_fault_of_some_jobs_alone() -> None:
    storms: dict[int, list[PlannedFault]] = {}
    for fault in draw_plan(7, 10 * MINUTE):
        storms.setdefault(int(fault.at // (STORM + CALM)), []).append(fault)
    alone = [faults for storm, faults in storms.items() if storm % ALONE_EVERY == ALONE_EVERY - 1]
    assert len(alone) >= 5
    assert all(len(faults) == 1 and faults[0].kind.of_some_jobs for faults in alone)


def test_a_seed_is_a_plan() -> None:
    assert draw_plan(7, 10 * MINUTE) == draw_plan(7, 10 * MINUTE)
    assert draw_plan(7, 10 * MINUTE) != draw_plan(8, 10 * MINUTE)


@pytest.mark.parametrize("seed", range(5))
def test_ten_minutes_hold_more_than_a_hundred_faults_that_overlap_and_then_rest(seed: int) -> None:
    plan = draw_plan(seed, 10 * MINUTE)
    assert len(plan) > 120
    assert any(one.at < other.at < one.end for one in plan for other in plan)
    assert all(fault.at % (STORM + CALM) <= STORM for fault in plan)
    assert {fault.kind.family for fault in plan} > {"kill -9 worker", "outage postgres", "kill -9 redis"}


@pytest.mark.parametrize("seed", range(5))
def test_no_target_is_hit_while_it_is_broken(seed: int) -> None:
    until: dict[str, float] = {}
    for fault in draw_plan(seed, 10 * MINUTE):
        for target in {fault.target, *parts(fault.target)}:
            assert fault.at >= until.get(target, 0.0)
            until[target] = fault.end


def test_every_kind_can_be_brought_about() -> None:
    assert {kind.name for kind in KINDS} == {*BREAKS, *MEMBERS}
    known = {
        LEADER,
        ALL_WORKERS,
        ROW,
        LOAD,
        *DAEMONS,
        POSTGRES,
        REDIS,
        RECEIVER,
        *links(DAEMONS, POSTGRES),
        *links(DAEMONS, REDIS),
    }
    assert {target for kind in KINDS for target in kind.targets} <= known


# What is blamed on a fault.


@pytest.mark.parametrize(
    ("began", "ended", "ids"), [(10, 20, {"wrk_1"}), (90, 110, {"wrk_1", "wrk_3"}), (100, 101, {"wrk_3"})]
)
def test_the_ids_of_a_worker_while_a_fault_was_on(began: float, ended: float, ids: set[str]) -> None:
    found = ids_between(REGISTRATIONS["worker-1"], NOON + began * SECOND, NOON + ended * SECOND)
    assert found == ids


def test_only_sends_of_the_worker_that_was_hit_count() -> None:
    attempts = [
        attempt("wrk_1", 8, 12),
        attempt("wrk_1", 8, None),
        attempt("wrk_1", 8, 9),
        attempt("wrk_1", 11, 12),
        attempt("wrk_1", 9, 11, outcome="released"),
        attempt("wrk_1", 8, 9.5, late=True),
        attempt("wrk_2", 8, 12),
    ]
    (fault,) = faults(happened("kill -9", "worker-1", 10, 11), attempts=attempts)
    assert (fault.sends_in_flight, fault.hard, fault.workers) == (3, True, {"wrk_1"})
    (fault,) = faults(happened("outage", "postgres", 10, 11), attempts=attempts)
    assert (fault.sends_in_flight, fault.hard, fault.workers) == (4, False, frozenset())


def test_a_worker_that_ends_while_it_cannot_write_may_repeat() -> None:
    ending = happened("SIGTERM", "worker-1", 10, 20)
    assert [fault.hard for fault in faults(ending)] == [False]
    for other in (happened("outage", "postgres", 15, 17), happened("silence", "worker-1 to postgres", 5, 11)):
        assert next(fault for fault in faults(ending, other) if fault.kind == "SIGTERM").hard
    for other in (happened("outage", "postgres", 1, 2), happened("silence", "worker-2 to postgres", 5, 11)):
        assert not next(fault for fault in faults(ending, other) if fault.kind == "SIGTERM").hard


def test_what_faults_cost_adds_up_where_they_overlap() -> None:
    alone = happened("kill -9", "redis", 10, 12)
    beside = happened("outage", "postgres", 11, 15)
    apart = happened("outage", "postgres", 30, 34)
    (first, *_) = faults(alone, apart)
    (second, *_) = faults(alone, beside)
    assert first.lateness == 3 * SECOND
    assert second.lateness == 12 * SECOND


def test_what_a_bad_job_suffers_costs_no_other_anything() -> None:
    locked = attrs.evolve(happened("row lock", "job row", 10, 20), jobs=frozenset({"job_tick"}))
    (lock, beside) = faults(locked, happened("kill -9", "redis", 11, 12))
    assert (lock.jobs, lock.lateness) == ({"job_tick"}, 16 * SECOND)
    assert (beside.jobs, beside.lateness) == (None, 3 * SECOND)


def test_workers_that_are_stopped_in_order_lose_nothing_unless_they_cannot_write() -> None:
    stops = attrs.evolve(happened("stop x3", "workers", 90, 110), hit=NOON + 105 * SECOND)
    told = faults(stops)
    assert [(fault.target, fault.workers) for fault in told] == [
        ("worker-1", {"wrk_1", "wrk_3"}),
        ("worker-2", {"wrk_2"}),
    ]
    assert {(fault.hard, fault.orderly) for fault in told} == {(True, True)}
    for other, orderly in (("postgres", [False, False]), ("worker-2 to postgres", [True, False])):
        kind = "outage" if other == "postgres" else "silence"
        told = faults(stops, happened(kind, other, 95, 97))
        assert [fault.orderly for fault in told if fault.kind == "stop x3"] == orderly
    assert not any(fault.orderly for fault in faults(happened("kill -9", "worker-1", 10, 20)))


# What is seen of the processes.


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbeg", b"HTTP/1.1 2", b""])
def test_a_process_that_dies_in_the_middle_of_its_answer_is_not_well(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        assert not is_healthy(f"http://127.0.0.1:{server.getsockname()[1]}", api=False)
        thread.join()


# The card.


def test_the_card_tells_of_faults_and_of_what_is_wrong() -> None:
    history = a_good_history()
    fault = Fault(
        kind="kill -9",
        target="worker-1",
        began=NOON,
        ended=NOON + SECOND,
        hard=True,
        sends_in_flight=3,
        lateness=SECOND,
    )
    history = attrs.evolve(history, fault_log=FaultLog(faults=[fault, attrs.evolve(fault, sends_in_flight=0)]))
    history = attrs.evolve(history, arrivals=[*history.arrivals, history.arrivals[0]])
    text = "\n".join(card(history, judge(history, only=["I4"]), Bounds()))
    assert "faults           2, of which 1 hit sends in flight" in text
    assert "sent twice       1 (execution, attempt)" in text
    assert "are allowed" in text
    assert "I4 " in text


def told_of(fault: Fault, *others: Fault) -> str:
    """The card, when what was due at noon came 3 s late."""
    late = attrs.evolve(all_later(3 * SECOND)(a_good_history()), fault_log=FaultLog(faults=[fault, *others]))
    return "\n".join(card(late, judge(late, only=["I11", "I22"]), Bounds()))


def test_the_card_says_when_a_backlog_delayed_other_hosts() -> None:
    backlog = Fault(
        kind="backlog without redis", target="redis", began=NOON - SECOND, ended=NOON + SECOND, jobs=frozenset()
    )
    text = told_of(backlog)
    assert re.search(r"^backlog without redis redis .* 3\.020  RED: 1\.5 s are allowed$", text, re.MULTILINE)
    assert "I22 backlog without redis of redis" in text
    assert "RED" not in told_of(attrs.evolve(backlog, began=NOON + SECOND))


def test_the_card_names_what_else_was_on_where_a_loss_of_redis_seems_dear() -> None:
    lost = Fault(kind="kill -9", target="redis", began=NOON, ended=NOON, lateness=4 * SECOND)
    beside = Fault(kind="outage", target="postgres", began=NOON, ended=NOON, lateness=3 * SECOND)
    assert re.search(r"^kill -9 redis .*  beside it: outage postgres \(1\)$", told_of(lost, beside), re.MULTILINE)
    assert re.search(
        r"^kill -9 redis .*  RED: 1\.5 s are allowed, and nothing else was on$", told_of(lost), re.MULTILINE
    )


def test_the_class_of_a_fault_has_no_number() -> None:
    when: datetime = NOON
    assert class_of(Fault(kind="cut", target="worker-2 to redis", began=when, ended=when)) == "cut worker to redis"
    assert class_of(Fault(kind="kill -9", target="scheduler-3", began=when, ended=when)) == "kill -9 scheduler"


def test_it_says_how_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.soak", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"--minutes", "--seed", "--records"} <= set(done.stdout.replace("[", " ").split())
