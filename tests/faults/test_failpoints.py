"""Failpoints: complete by construction, exact in what they do, and not there unless somebody asks for them."""

import asyncio
import inspect
import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

import cronhook_core.ports
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.domain.webhook import WebhookRequest
from cronhook_core.errors import LockUnavailable, QueueUnavailable, StoreUnavailable
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.webhook_sender import WebhookSender
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.failpoints import (
    PORTS,
    Action,
    Failpoint,
    Failpoints,
    failpoint_names,
    perform,
    point_name,
    read_failpoints,
)
from cronhook_core.testing.interposed import interposed, port_methods
from cronhook_core.testing.scripted_sender import ScriptedSender
from cronhook_server.composition import open_backends
from cronhook_server.settings import Settings
from tests.faults.await_sites import BEHIND_ANOTHER_PORT, Site, engine_sites, sites_of, unexplained
from tests.faults.processes import COMMAND

ROOT = Path(__file__).parents[2]
PORTS_WITHOUT = {"Clock", "EngineHooks", "HeaderVault", "NoHooks", "SigningKeys"}
"""Nothing leaves the process through these, or it does through a port that has failpoints."""


class Recorded:
    """What happened at failpoints, instead of a failing process."""

    def __init__(self) -> None:
        self.events: list[object] = []

    async def perform(self, failpoint: Failpoint) -> None:
        self.events.append(failpoint.point)

    def tell(self, failpoint: Failpoint, hit: int) -> None:
        self.events.append((failpoint.point, hit))

    def failpoints(self, text: str) -> Failpoints:
        return Failpoints(read_failpoints(text), perform=self.perform, tell=self.tell)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def store() -> MemoryJobStore:
    return MemoryJobStore(MemoryDatabase())


# They are complete.


@pytest.mark.parametrize("port", PORTS)
def test_every_coroutine_of_a_port_has_its_two_points(port: str) -> None:
    asked = {name for name, member in inspect.getmembers(PORTS[port], inspect.iscoroutinefunction)}
    assert set(port_methods(PORTS[port])) == asked
    assert {point_name(port, name, moment) for name in asked for moment in ("before", "after")} <= set(
        failpoint_names()
    )


def test_every_port_with_coroutines_has_points() -> None:
    folder = Path(cronhook_core.ports.__path__[0])
    declared = {name for path in folder.glob("*.py") for name in re.findall(r"^class (\w+)", path.read_text(), re.M)}
    covered = {base.__name__ for port in PORTS.values() for base in port.__mro__}
    values = {"CancelQueued", "Held", "JobFilter", "Lease", "Rate"}
    assert declared - covered - PORTS_WITHOUT == values


@pytest.mark.parametrize("site", engine_sites(), ids=str)
def test_every_await_of_the_engine_has_failpoints_or_stays_within_the_process(site: Site) -> None:
    if site.leaves_the_process:
        assert {f"{site.what}.before", f"{site.what}.after"} <= set(failpoint_names())
    else:
        assert not unexplained(site)


def test_what_other_ports_wait_for_has_failpoints() -> None:
    assert {f"{what}.after" for what in BEHIND_ANOTHER_PORT.values()} <= set(failpoint_names())


@pytest.mark.parametrize(
    "source",
    [
        *("self._fancy.fetch(now)", "asks_somebody()", "self._store_too.claim(ids)"),
        *("self._archive.get(now)", "self._other.run_once()", "self._intake.fetch(now)", "self._session"),
    ],
)
def test_an_await_that_goes_elsewhere_is_noticed(source: str) -> None:
    assert unexplained(Site("a.new.place", source, leaves_the_process=False))


def test_plan_claim_and_finish_are_among_the_places() -> None:
    assert {site.what for site in sites_of("scheduler", "queue_feed")} >= {"store.due_jobs", "store.plan", "queue.push"}
    assert {site.what for site in sites_of("intake", "delivery", "result_writer")} >= {
        *("queue.pop", "store.ready", "store.claim"),
        *("sender.send", "store.finish"),
    }


# They do what they say.


async def test_points_are_passed_before_and_after_each_call(recorded: Recorded, store: MemoryJobStore) -> None:
    failpoints = recorded.failpoints("store.ping.before=sleep:1;store.ping.after=stop")
    wrapped = failpoints.wrap("store", store)
    await wrapped.ping()
    assert recorded.events == [
        *(("store.ping.before", 1), "store.ping.before"),
        *(("store.ping.after", 1), "store.ping.after"),
    ]
    assert failpoints.hits == {"store.ping.before": 1, "store.ping.after": 1}


@pytest.mark.parametrize(("count", "hit"), [("", [1, 2, 3, 4]), ("@1", [1]), ("@3", [3]), ("@3+", [3, 4]), ("@9", [])])
async def test_a_failpoint_counts_the_calls(
    recorded: Recorded, store: MemoryJobStore, count: str, hit: list[int]
) -> None:
    wrapped = recorded.failpoints(f"store.ping.before=stop{count}").wrap("store", store)
    for _ in range(4):
        await wrapped.ping()
    assert [event for event in recorded.events if isinstance(event, tuple)] == [("store.ping.before", n) for n in hit]


async def test_raising_before_means_that_nothing_was_done(store: MemoryJobStore) -> None:
    wrapped = Failpoints(read_failpoints("store.register_worker.before=raise@1")).wrap("store", store)
    with pytest.raises(StoreUnavailable):
        await wrapped.register_worker("wrk_1", NOW)
    assert await store.worker_beats() == []
    await wrapped.register_worker("wrk_1", NOW)
    assert len(await store.worker_beats()) == 1


async def test_raising_after_means_that_only_the_answer_was_lost(store: MemoryJobStore) -> None:
    wrapped = Failpoints(read_failpoints("store.register_worker.after=raise")).wrap("store", store)
    with pytest.raises(StoreUnavailable):
        await wrapped.register_worker("wrk_1", NOW)
    assert len(await store.worker_beats()) == 1


@pytest.mark.parametrize(
    ("port", "error"),
    [
        ("accounts.find_key", StoreUnavailable),
        ("queue.push", QueueUnavailable),
        ("lock.renew", LockUnavailable),
        ("sender.send", ConnectionError),
    ],
)
async def test_each_port_fails_with_its_own_error(port: str, error: type[Exception]) -> None:
    (failpoint,) = read_failpoints(f"{port}.after=raise")
    with pytest.raises(error):
        await perform(failpoint)


async def test_a_sleeping_call_holds_up_nobody_else(store: MemoryJobStore) -> None:
    wrapped = Failpoints(read_failpoints("store.ping.before=sleep:60@1")).wrap("store", store)
    first = asyncio.create_task(wrapped.ping())
    await asyncio.sleep(0)
    await wrapped.ping()
    assert not first.done()
    first.cancel()


async def test_a_sender_has_points_too(recorded: Recorded) -> None:
    sender = ScriptedSender()
    wrapped: WebhookSender = recorded.failpoints("sender.send.before=stop").wrap("sender", sender)
    request = WebhookRequest(url="https://receiver.example/", headers=(), body=b"", timeout=timedelta(seconds=1))
    result = await wrapped(request)
    assert (result.response_status, recorded.events[-1]) == (200, "sender.send.before")


@pytest.mark.parametrize("action", ["kill", "stop"])
def test_a_failing_process_first_tells_what_hit_it(action: str) -> None:
    code = (
        "import asyncio; from cronhook_core.testing.failpoints import *\n"
        f"points = Failpoints(read_failpoints('queue.depth.before={action}@2'))\n"
        "class Queue:\n    async def depth(self): return 7\n"
        "queue = points.wrap('queue', Queue())\n"
        "print(asyncio.run(queue.depth()), flush=True); print(asyncio.run(queue.depth()), flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        assert told == f'{{"event": "failpoint", "point": "queue.depth.before", "action": "{action}", "hit": 2}}\n'
        if action == "stop":
            assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
            process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=20)
    assert (output, process.returncode) == (("7\n7\n", 0) if action == "stop" else ("7\n", -signal.SIGKILL))


# They are read strictly.


def test_failpoints_are_read() -> None:
    assert read_failpoints(" store.plan.before=kill@3 ; queue.push.after=raise@2+; lock.renew.before=sleep:0.5;") == [
        Failpoint(point="store.plan.before", action=Action.KILL, first=3, once=True),
        Failpoint(point="queue.push.after", action=Action.RAISE, first=2),
        Failpoint(point="lock.renew.before", action=Action.SLEEP, seconds=0.5),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("store.plan=kill", "no point 'store.plan'"),
        ("store.plam.before=kill", "no point 'store.plam.before'"),
        ("store.plan.before", "is not POINT=ACTION"),
        ("store.plan.before=explode", "is not POINT=ACTION"),
        ("store.plan.before=kill@0", "is not POINT=ACTION"),
        ("store.plan.before=kill@-1", "is not POINT=ACTION"),
        ("store.plan.before=sleep", "takes seconds"),
        ("store.plan.before=kill:3", "takes seconds"),
        ("store.plan.before=kill, store.claim.before=kill", "is not POINT=ACTION"),
    ],
)
def test_what_is_misspelled_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_failpoints(text)


# They cost nothing, and nobody switches them on by accident.


@pytest.fixture
def variable_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRONHOOK_FAILPOINTS", "store.ping.before=raise; queue.depth.before=raise")


@pytest.mark.usefixtures("variable_set")
async def test_the_composition_opens_the_backends_themselves(tmp_path: Path) -> None:
    """What is not wrapped costs nothing."""
    settings = Settings.read({**os.environ, "CRONHOOK_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}"})
    async with open_backends(settings, Random(1)) as backends:
        await backends.store.ping()
        assert await backends.queue.depth() == 0
        for opened in (backends.store, backends.accounts, backends.queue, backends.lock):
            assert type(opened).__module__.startswith("cronhook_core.backends.")
            assert "Interposed" not in type(opened).__name__


def test_no_production_code_knows_of_failpoints() -> None:
    sources = [path for path in (ROOT / "src").glob("**/*.py") if "testing" not in path.relative_to(ROOT).parts]
    assert [path for path in sources if re.search("failpoint", path.read_text(), re.I)] == []


def test_production_loads_no_failpoints() -> None:
    sources = [
        path.relative_to(ROOT / "src").with_suffix("") for path in (ROOT / "src").glob("cronhook_server/**/*.py")
    ]
    modules = [".".join(path.parts) for path in sources if "testing" not in path.parts and path.name[:2] != "__"]
    code = (
        f"import {', '.join(modules)}, sys\n"
        "print([name for name in sys.modules if '.testing' in name and name.startswith('cronhook')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def run_with_failpoints(failpoints: str | None, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CRONHOOK_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}"}
    if failpoints is not None:
        environment["CRONHOOK_FAILPOINTS"] = failpoints
    command = [sys.executable, "-m", "cronhook_server.testing.failpoints", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.suite("faults")
@pytest.mark.parametrize("failpoints", [None, "", "store.nothing.before=kill"])
def test_the_command_with_failpoints_refuses_to_run_without_any(failpoints: str | None, tmp_path: Path) -> None:
    done = run_with_failpoints(failpoints, tmp_path, "keys", "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("CRONHOOK_FAILPOINTS: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.suite("faults")
def test_the_command_with_failpoints_runs_the_command_line(tmp_path: Path) -> None:
    done = run_with_failpoints("accounts.ensure_workspace.before=kill", tmp_path, "keys", "create")
    assert done.returncode == -signal.SIGKILL
    assert '"point": "accounts.ensure_workspace.before"' in done.stderr
    assert run_with_failpoints("store.plan.before=kill", tmp_path, "keys", "create").returncode == 0


@pytest.mark.suite("faults")
def test_the_installed_command_hears_of_no_failpoints(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CRONHOOK_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}",
        "CRONHOOK_FAILPOINTS": "accounts.ensure_workspace.before=kill;accounts.add_key.before=kill",
    }
    done = subprocess.run([*COMMAND, "keys", "create"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert "failpoint" not in done.stderr


def test_failpoints_that_come_too_late_are_refused() -> None:
    code = (
        "import cronhook_server.all_in_one\n"
        "from cronhook_server.testing.failpoints import enable\n"
        "from cronhook_core.testing.failpoints import Failpoints\n"
        "enable(Failpoints([]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "too late for cronhook_server.all_in_one" in done.stderr


# What stands before a port is that port.


def test_what_is_interposed_offers_all_of_the_port(store: MemoryJobStore) -> None:
    async def around(method: str, call: object) -> None:
        raise AssertionError(method)

    wrapped = interposed(store, JobStore, around)
    missing = [name for name in port_methods(JobStore) if not inspect.iscoroutinefunction(getattr(wrapped, name))]
    assert missing == []
    assert wrapped._db is store._db
