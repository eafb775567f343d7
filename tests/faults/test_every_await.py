"""Every await of plan, claim and finish that leaves the process: killed before and after it, refused, its answer lost.

They are read from the source: what is added there is tried here without a word.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from attrs import evolve

from cronhook_core.testing.failpoints import failpoint_names
from tests.faults.await_sites import BEHIND_ANOTHER_PORT, engine_sites, sites_of
from tests.faults.embedded import Embedded
from tests.faults.history import Act, Fault
from tests.faults.installation import Installation, Load, ahead, leader
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import allowed, hard, verdict, worker_ids
from tests.services import wait_until

MODULES = {
    "scheduler": frozenset({"foresight", "leadership", "outlook", "queue_feed", "reaper", "scheduler"}),
    "worker": frozenset({"delivery", "intake", "result_writer", "worker", "worker_life"}),
}
"""Modules of the engine that plan, claim and finish, by whose they are."""
ELSEWHERE = frozenset({"job_service", "job_walk", "pruner", "zone_rules"})
"""The others that leave the process: users', and once-in-a-while work."""
AT_AN_END = frozenset({"store.interrupt", "store.release", "store.retire_worker", "lock.release"})
"""Awaits of a process that is asked to end."""
AFTER_A_DEATH = frozenset({"store.bury_worker", "store.lose_abandoned"})
"""Awaits that somebody must have died for."""
ENDS_OF_A_WORKER = (
    *("store.retire_worker.after", "store.retire_worker.before", "store.release.after", "store.release.before"),
    *("store.interrupt.after", "store.interrupt.before"),
)
"""In an order in which nothing is lost three times."""
ENDS_OF_A_SCHEDULER = ("lock.release.before", "lock.release.after")
BURIALS = (
    *("store.bury_worker.before", "store.bury_worker.after"),
    *("store.lose_abandoned.before", "store.lose_abandoned.after"),
)
AFTER_A_FAILURE = {"queue.depth": "queue.wait.before=raise", "store.ping": "store.next_due.before=raise"}
"""Awaits that come only after this call has failed, and nobody else in the process has been answered since."""
AS_A_FOLLOWER = frozenset({"lock.wait_released"})
"""Awaits of schedulers of which there are several."""
RARE = frozenset({"store.register_worker", "accounts.signing_versions", "lock.acquire"})
"""Awaits that are not repeated once they were answered."""
AFTER_A_LOST_CLAIM = ";".join(f"store.claim.after=raise@{number}" for number in (2, 4, 6, 8))
"""The next beat then finds claims that the worker knows nothing of, and gives them back; one may have found nothing."""
PATH = "/between/0.05/0.3/ok"
RUNNING = "SELECT 1 FROM executions WHERE status = 'running' AND job_id = %s"
WAITS = 150.0
SOME_PAUSES = 4.0
"""Seconds that whoever was refused lets go by, all in all, before it has asked for everything again."""


def awaits(*roles: str) -> list[str]:
    """All that leave the process, of the engine's modules that plan, claim and finish, in their order."""
    modules = frozenset[str]().union(*(MODULES[role] for role in roles or MODULES))
    found = {site.what for site in sites_of(*modules)}
    return sorted(found | set(BEHIND_ANOTHER_PORT.values() if "delivery" in modules else ()))


def points(*roles: str, but: frozenset[str] = AT_AN_END | AFTER_A_DEATH) -> list[str]:
    return [f"{what}.{moment}" for what in awaits(*roles) if what not in but for moment in ("before", "after")]


def role_and_point() -> list[tuple[str, str]]:
    """Both have the store's ``ready``, for example, and both are tried."""
    return [(role, point) for role in MODULES for point in points(role)]


def nth(point: str) -> str:
    """At which call it fails: the answer is lost at another one than is refused."""
    what, _, moment = point.rpartition(".")
    return "@1" if what in RARE else {"before": "@3", "after": "@6"}[moment]


def kill(point: str) -> str:
    return "kill@1" if point.rpartition(".")[0] in RARE.union(AFTER_A_FAILURE) else "kill@2"


def failing(point: str, how: str) -> str:
    """The failpoint, and what must fail for the process to come by there."""
    first = AFTER_A_FAILURE.get(point.rpartition(".")[0])
    return f"{point}={how}" if first is None else f"{first};{point}={how}"


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    running = Embedded(tmp_path)
    running.start()
    yield running
    running.close()


def test_all_have_failpoints() -> None:
    assert set(points(but=frozenset())) <= set(failpoint_names())
    assert {"store.plan", "store.claim", "store.finish", "sender.send", "queue.push", "queue.pop"} <= set(awaits())


def test_those_that_come_only_at_an_end_or_after_a_death_are_tried_apart() -> None:
    apart = (*ENDS_OF_A_WORKER, *ENDS_OF_A_SCHEDULER, *BURIALS)
    assert set(apart) == set(points(but=frozenset())) - set(points())


def test_every_module_that_leaves_the_process_has_its_place() -> None:
    leaving = {site.where.partition(".")[0] for site in engine_sites() if site.leaves_the_process}
    assert leaving == ELSEWHERE.union(*MODULES.values())


def due_soon(embedded: Embedded, receiver: ScriptedReceiver, count: int) -> list[Act]:
    return [embedded.create(receiver.url(PATH), ahead(seconds=0.5)) for _ in range(count)]


def test_every_await_on_sqlite_is_refused_and_loses_its_answer(
    embedded: Embedded, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    """In one process: its third call fails before anything is done, its sixth one after all is done."""
    first, began = embedded.processes[0], ahead()
    acts = due_soon(embedded, scripted_receiver, 3)
    tried = points(but=AT_AN_END | AFTER_A_DEATH | AS_A_FOLLOWER | frozenset(AFTER_A_FAILURE))
    first.terminate()
    assert first.wait() == 0
    failpoints = ";".join(f"{point}=raise{nth(point)}" for point in tried)
    process = embedded.start_with(failpoints)
    process.wait_until_alive(f"http://127.0.0.1:{embedded.ports[0]}")
    while len(process.events("failpoint")) < len(tried) and (ahead() - began).total_seconds() < WAITS:
        acts += due_soon(embedded, scripted_receiver, 2)
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 1)
    assert {event["point"] for event in process.events("failpoint")} == set(tried)
    assert process.running
    # An answer that the sender lost may have been a success: it is sent again.
    lost = Fault(kind="lost answer", target="receiver", began=began, ended=ahead(), hard=True, sends_in_flight=1)
    assert embedded.verdict(scripted_receiver, acts, lost, lateness=allowed(full, SOME_PAUSES)) == []


@pytest.mark.parametrize("part", range(4))
@pytest.mark.full
def test_a_process_on_sqlite_dies_at_every_await(
    embedded: Embedded, scripted_receiver: ScriptedReceiver, part: int
) -> None:
    """One after the other on one file, every fourth of them in each part."""
    began, acts = ahead(), list[Act]()
    embedded.processes[0].terminate()
    assert embedded.processes[0].wait() == 0
    for point in points(but=AT_AN_END | AFTER_A_DEATH | AS_A_FOLLOWER)[part::4]:
        dying = embedded.start_with(failing(point, kill(point)))
        acts += die(embedded, dying, scripted_receiver)
        assert dying.events("failpoint")[-1]["point"] == point
    embedded.start()
    assert embedded.verdict(scripted_receiver, acts, killed_since=began) == []


def die(embedded: Embedded, dying: CronhookProcess, receiver: ScriptedReceiver) -> list[Act]:
    """What was stored until it died."""
    acts: list[Act] = []
    began, pause = ahead(), threading.Event()
    while dying.running and (ahead() - began).total_seconds() < WAITS:
        try:
            acts += due_soon(embedded, receiver, 1)
        except httpx.HTTPError:  # it is not there yet, or has just died
            pause.wait(0.05)
    assert dying.wait(WAITS) == -signal.SIGKILL
    return acts


@pytest.mark.full
@pytest.mark.parametrize(("role", "point"), role_and_point())
def test_a_daemon_on_postgres_dies_at_every_await(
    installation: Installation, scripted_receiver: ScriptedReceiver, role: str, point: str
) -> None:
    if point.rpartition(".")[0] in AS_A_FOLLOWER:
        leader([installation.start("scheduler")])
    installation.open("worker" if role == "scheduler" else "scheduler")
    began = ahead()
    dying = installation.start(role, failpoints=failing(point, kill(point)))
    with Load(installation, scripted_receiver.url(PATH), per_second=10) as load:
        assert dying.wait(WAITS) == -signal.SIGKILL
        installation.start(role)
        stored = len(load.stored)
        wait_until(lambda: len(load.stored) > stored + 10, 60, "some more are stored")
    held = installation.rows("SELECT count(*) FROM job_logs WHERE outcome = 'lost' OR late")[0][0]
    fault = hard("kill -9", held + 10, dying, began=began)
    faults = [evolve(fault, workers=fault.workers | unannounced(installation))] if role == "worker" else []
    assert dying.events("failpoint")[-1]["point"] == point
    assert verdict(installation, scripted_receiver, load.acts, faults=faults) == []


def unannounced(installation: Installation) -> set[str]:
    """Ids of workers that died before they could say under which one they were registered."""
    registered = {worker_id for (worker_id,) in installation.rows("SELECT id FROM workers")}
    return registered - worker_ids(*installation.processes)


@pytest.mark.full
@pytest.mark.parametrize("role", ["scheduler", "worker"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_every_await_on_postgres_is_refused_or_loses_its_answer(
    installation: Installation, scripted_receiver: ScriptedReceiver, role: str, moment: str, full: bool
) -> None:
    """Each at its third or sixth call, until all have failed."""
    apart = AT_AN_END | AFTER_A_DEATH | AS_A_FOLLOWER | frozenset(AFTER_A_FAILURE)
    tried = {point for point in points(role, but=apart) if point.endswith(moment)}
    installation.open("worker" if role == "scheduler" else "scheduler")
    began = ahead()
    failing_one = installation.start(role, failpoints=";".join(f"{point}=raise{nth(point)}" for point in tried))
    with Load(installation, scripted_receiver.url(PATH), per_second=10) as load:
        scripted_receiver.wait_for(100)
        wait_until(lambda: failed(failing_one) == tried, WAITS, "all have failed once")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 20)
    assert failing_one.running
    lost = Fault(kind="lost answer", target="receiver", began=began, ended=ahead(), hard=True, sends_in_flight=1)
    late = allowed(full, SOME_PAUSES)
    assert verdict(installation, scripted_receiver, load.acts, faults=[lost], lateness=late) == []


def failed(process: CronhookProcess) -> set[str]:
    return {event["point"] for event in process.events("failpoint")}


@pytest.mark.full
@pytest.mark.parametrize("how", ["kill", "raise"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_fails_while_it_gives_back_what_it_knows_nothing_of(
    installation: Installation, scripted_receiver: ScriptedReceiver, how: str, moment: str
) -> None:
    """Answers to claims are lost, and so is it, or another answer, when the next beat finds these."""
    point = f"store.release.{moment}"
    installation.open("scheduler")
    failing_one = installation.start("worker", failpoints=f"{AFTER_A_LOST_CLAIM};{point}={how}@1")
    with Load(installation, scripted_receiver.url(PATH), per_second=10) as load:
        wait_until(lambda: point in failed(failing_one), WAITS, "it gives back what it knows nothing of")
        if how == "kill":
            die_at(failing_one, point)
            installation.start("worker")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 20)
    installation.wait_until_done(60)
    held = installation.rows("SELECT count(*) FROM job_logs WHERE outcome = 'lost' OR late")[0][0]
    faults = [hard("kill -9", held, failing_one, began=load.acts[0].asked_at)] if how == "kill" else []
    assert verdict(installation, scripted_receiver, load.acts, faults=faults) == []
    assert installation.rows("SELECT sum(releases) > 0 FROM executions") == [(how == "raise" or moment == "after",)]


@pytest.mark.full
@pytest.mark.parametrize("what", AFTER_A_FAILURE)
def test_what_is_asked_after_a_failure_fails_too(
    installation: Installation, scripted_receiver: ScriptedReceiver, what: str
) -> None:
    first = AFTER_A_FAILURE[what].replace("=raise", "=raise@2")
    installation.open("worker")
    failing_one = installation.start("scheduler", failpoints=f"{first};{what}.before=raise@1;{what}.after=raise@1")
    with Load(installation, scripted_receiver.url(PATH), per_second=10) as load:
        wait_until(lambda: len(failed(failing_one)) == 3, WAITS, "both have failed")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 20)
    assert verdict(installation, scripted_receiver, load.acts) == []


def die_at(process: CronhookProcess, point: str) -> None:
    assert process.wait(WAITS) == -signal.SIGKILL
    assert process.events("failpoint")[-1]["point"] == point


def end_at(process: CronhookProcess, point: str, how: str) -> None:
    """It is killed there, or ends in order although what it asks for there fails."""
    assert process.wait(WAITS) == (-signal.SIGKILL if how == "kill" else 0)
    assert process.events("failpoint")[-1]["point"] == point


@pytest.mark.full
@pytest.mark.parametrize("how", ["kill", "raise"])
def test_one_worker_after_the_other_fails_while_it_ends(
    installation: Installation, scripted_receiver: ScriptedReceiver, how: str
) -> None:
    """With nothing in hand, with what it has not sent yet, and with what is under way."""
    installation.open("scheduler")
    acts, faults = list[Act](), list[Fault]()
    for point in ENDS_OF_A_WORKER:
        began = ahead()
        unsent = "accounts.signing_versions.before=sleep:600;" if point.startswith("store.release") else ""
        dying = installation.start("worker", failpoints=f"{unsent}{point}={how}@1")
        dying.wait_for_line('"worker_registered"')
        if not point.startswith("store.retire"):
            acts.append(installation.stored(run_at=ahead(), callback_url=scripted_receiver.url("/slow/3")))
            installation.wait_for_rows(RUNNING, acts[-1].job_id)
            if not unsent:
                wait_for_arrival(scripted_receiver, acts[-1].job_id)
        end_at_once(dying)
        end_at(dying, point, how)
        faults.append(hard(how, len(acts), dying, began=began))
    installation.start("worker")
    assert verdict(installation, scripted_receiver, acts, faults=faults) == []
    assert installation.rows("SELECT DISTINCT status, retries_used FROM executions") == [("succeeded", 0)]


def wait_for_arrival(receiver: ScriptedReceiver, job_id: str) -> None:
    wait_until(lambda: any(a.job_id == job_id for a in receiver.arrivals), 30, "it arrives")


def end_at_once(process: CronhookProcess) -> None:
    """Asked twice, unless it has ended before."""
    size = process.log_size()
    process.terminate()
    process.wait_for_line('"stopping"', after=size)
    if process.running:
        process.terminate()


@pytest.mark.full
@pytest.mark.parametrize("how", ["kill", "raise"])
def test_one_leader_after_the_other_fails_while_it_ends(
    installation: Installation, scripted_receiver: ScriptedReceiver, how: str
) -> None:
    installation.open("worker")
    with Load(installation, scripted_receiver.url(PATH), per_second=10) as load:
        for point in ENDS_OF_A_SCHEDULER:
            dying = installation.start("scheduler", failpoints=f"{point}={how}@1")
            leader([dying])
            dying.terminate()
            end_at(dying, point, how)
        installation.start("scheduler")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 20)
    assert verdict(installation, scripted_receiver, load.acts) == []


@pytest.mark.full
def test_one_leader_after_the_other_dies_while_it_takes_from_a_dead_worker(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    _, scheduler, worker = installation.open("scheduler", "worker")
    began = ahead()
    url = scripted_receiver.url("/slow/2")
    acts = [installation.stored(run_at=ahead(seconds=1), callback_url=url) for _ in range(5)]
    scripted_receiver.wait_for(len(acts))
    worker.kill()
    scheduler.terminate()
    assert scheduler.wait() == 0
    for point in BURIALS:
        dying = installation.start("scheduler", failpoints=f"{point}=kill@1")
        die_at(dying, point)
    fault = hard("kill -9", len(acts), worker, began=began)
    assert installation.rows("SELECT DISTINCT status, losses, retries_used FROM executions") == [("queued", 1, 0)]
    installation.again(scheduler)
    installation.again(worker)
    assert verdict(installation, scripted_receiver, acts, faults=[fault]) == []
    assert installation.rows("SELECT DISTINCT status, losses, retries_used FROM executions") == [("succeeded", 1, 0)]


@pytest.mark.full
def test_a_leader_is_refused_and_loses_answers_while_it_takes_from_a_dead_worker(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    installation.open("worker")
    leading = installation.start("scheduler", failpoints=";".join(f"{point}=raise@1" for point in BURIALS))
    dying = installation.start("worker")
    dying.wait_for_line('"worker_registered"')
    began = ahead()
    url = scripted_receiver.url("/slow/2")
    acts = [installation.stored(run_at=ahead(seconds=1), callback_url=url) for _ in range(10)]
    scripted_receiver.wait_for(len(acts))
    dying.kill()
    wait_until(lambda: failed(leading) == set(BURIALS), WAITS, "all have failed once")
    assert verdict(installation, scripted_receiver, acts, faults=[hard("kill -9", len(acts), dying, began=began)]) == []
    assert leading.running
