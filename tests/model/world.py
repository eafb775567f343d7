"""A whole installation in memory, with virtual time, and all that can befall it: each public method is one event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve

from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.domain.job import Job, JobStatus
from cronhook_core.domain.workspace import Workspace
from cronhook_core.ports.engine_hooks import NoHooks
from tests.faults.periods import periods_of
from tests.model.ledger import Broken, Ledger
from tests.model.nodes import AWAY, ApiNode, Call, Node, SchedulerNode, WorkerNode
from tests.model.observed import ObservedDatabase, ObservedJobStore, Observer
from tests.model.passes import AWAITING_ANSWER, Pass
from tests.model.surroundings import ANSWERS, ModelQueue, definition
from tests.model.virtual_time import MICROSECONDS, NodeClock, WorldTime

START = datetime(2026, 3, 29, 0, 57, 40, tzinfo=UTC)
"""Shortly before the clocks of Berlin go forward."""
WORKSPACE = "wsp_model"
SCHEDULERS, WORKERS = 3, 2
API_SKEW = timedelta(seconds=-45)
SKEWS = (0, 0, 90, -40)
"""Seconds by which the nodes' wall clocks are ahead, in the order of their making."""
BOUNDARIES: Mapping[str, str] = {
    f"{call}.{moment}": loop
    for loop, calls in {
        "plan": ("store.due_jobs", "store.plan"),
        "push": ("queue.push",),
        "claim": ("store.ready", "store.claim"),
        "results": ("store.finish",),
        "beat": ("store.beat", "store.running", "store.release"),
        "reap": ("store.worker_beats", "store.bury_worker", "store.lose_abandoned"),
        "pop": ("queue.pop",),
    }.items()
    for call in calls
    for moment in ("before", "after")
}
"""Boundaries where it matters what else happens, and the loops that come by there."""


class World:
    """Numbers called ``which`` mean one of however many there are."""

    def __init__(self) -> None:
        self.time = WorldTime(START)
        self.observer = Observer()
        self.ledger = Ledger(self.observer, self.time)
        self.database = ObservedDatabase(observer=self.observer)
        self.database.workspaces[WORKSPACE] = Workspace(id=WORKSPACE, name="model", created_at=START)
        self.store = ObservedJobStore(self.database)
        self.queue = ModelQueue(self.database)
        self.lock = MemoryLock(NodeClock(self.time))
        self.hooks = _Hooks(self)
        self.away = {"store": False, "queue": False, "lock": False}
        self.lock_lies = False
        self._made = 0
        self.api = ApiNode(self, "api", API_SKEW)
        self.schedulers = [self._scheduler() for _ in range(SCHEDULERS)]
        self.workers = [self._worker() for _ in range(WORKERS)]
        for worker in self.workers:
            worker.run("beat")

    @property
    def nodes(self) -> list[Node]:
        return [self.api, *self._clockworks]

    @property
    def jobs(self) -> list[Job]:
        return [self.database.jobs[job_id] for job_id in self.observer.jobs]

    @property
    def awaiting(self) -> list[tuple[WorkerNode, Pass]]:
        """Requests that the receiver has, and whose sender can hear its answer."""
        workers = [worker for worker in self.workers if not worker.suspended]
        return [(worker, one) for worker in workers for one in worker.sends.values() if one.at == AWAITING_ANSWER]

    # What users do.

    def create(self, schedule: int, retries: int) -> None:
        written = definition(schedule, retries, self.api.clock.now())
        self._call(lambda: self.api.jobs.create(WORKSPACE, written), whole=True)

    def ask(self, verb: str, which: int, argument: int, whole: bool) -> None:
        """What a user asks of a job or of one of its executions; ``whole``: it is answered before anything else."""
        job = _pick(self._kept, which)
        if job is None:
            return
        if verb in ("replay", "cancel_execution"):
            execution_id = _pick(list(self.observer.executions[job.id]), argument)
            if execution_id is not None:
                self._call(lambda: getattr(self.api.jobs, verb)(WORKSPACE, execution_id), whole=whole)
        elif verb == "update":
            written = definition(argument, argument, self.api.clock.now())
            self._call(lambda: self.api.jobs.update(WORKSPACE, job.id, lambda _: written), whole=whole)
        else:
            self._call(lambda: getattr(self.api.jobs, verb)(WORKSPACE, job.id), whole=whole)

    def rest(self, which: int, seconds: float) -> None:
        """A user pauses a job for a while, in which nothing else happens."""
        job = _pick([job for job in self.jobs if job.status is JobStatus.ACTIVE], which)
        if job is not None:
            self._call(lambda: self.api.jobs.pause(WORKSPACE, job.id), whole=True)
            self.stand_still(seconds)
            self._call(lambda: self.api.jobs.resume(WORKSPACE, job.id), whole=True)

    def pause_by_hand(self, which: int) -> None:
        """Somebody pauses a job in the database itself, and leaves what is queued."""
        job = _pick([job for job in self.jobs if job.status is JobStatus.ACTIVE], which)
        if job is not None:
            now = self.api.clock.now()
            self.database.jobs.put(job.changed(now, status=JobStatus.PAUSED, next_run=None))
            self.observer.act("pause", job, now)

    def rewind(self, which: int) -> None:
        """A cron job's ``next_run`` comes back as it was when its newest instant was not yet planned.

        That of a one-time job never does: a success that is stored meanwhile would leave the job without an end.
        """
        job = _pick([job for job in self.jobs if job.status is JobStatus.ACTIVE and not job.is_one_time], which)
        scheduled = [] if job is None else [e for e in self._executions(job) if e["trigger"] == "schedule"]
        newest = max((row["scheduled_for"] for row in scheduled), default=None)
        if newest is not None and periods_of(self.observer.acts[job.id], timedelta())[-1].allows(newest):
            self.observer.act("rewind", job, self.api.clock.now())
            self.database.jobs.put(evolve(job, next_run=newest))

    # What nodes do.

    def plan(self, which: int) -> None:
        scheduler = self.schedulers[which % len(self.schedulers)]
        for loop in ("lead", "plan", "push"):
            scheduler.run(loop)

    def work(self, which: int) -> None:
        """A worker pops, claims, and lets the requests leave."""
        worker = self.workers[which % len(self.workers)]
        worker.run("pop")
        worker.run("claim")
        worker.send_all()

    def bustle(self, which: int) -> None:
        """What is due is planned, and a worker takes it."""
        self.plan(which)
        self.work(which)

    def write(self, which: int) -> None:
        """A worker writes its results."""
        self.workers[which % len(self.workers)].run("results")

    def answer(self, which: int, how: str) -> None:
        """A receiver answers as one of `ANSWERS`."""
        worker, one = _pick(self.awaiting, which) or (None, None)
        if worker is not None and one is not None:
            ref = next(ref for ref, mine in worker.sends.items() if mine is one)
            told, heard = ANSWERS[how]
            self.ledger.answered(ref.execution_id, ref.attempt_no, told, heard=heard.response_status == told)
            self.ledger.repeats += how == "unheard"
            worker.answer(one, heard)

    def step(self, which: int, whole: bool) -> None:
        """Something that stands at a boundary goes on: to the next one, or as far as it can."""
        node, one = _pick(self._standing(), which) or (None, None)
        if node is not None and one is not None:
            node.step(one)
            while whole and not one.done and node.may_step(one):
                node.step(one)

    def hold(self, which: int, boundary: str) -> tuple[Node, Pass]:
        """A node's pass goes on until it stands at this boundary, if it comes by there."""
        nodes = [node for node in self._clockworks if BOUNDARIES[boundary] in node.loops]
        node = nodes[which % len(nodes)]
        if BOUNDARIES[boundary] == "push":
            node.run("plan")
        one = node.begin(BOUNDARIES[boundary])
        node.step(one)
        while not one.done and one.at != boundary and node.may_step(one):
            node.step(one)
        return node, one

    # What befalls them.

    def race(self, which: int, boundary: str, verb: str, job: int, argument: int) -> None:
        """A user acts on a job that a node is in the middle of planning, claiming or finishing, if there is one."""
        node, one = self.hold(which, boundary)
        concerned = [number for number, kept in enumerate(self._kept) if self._concerns(node, kept)]
        self.ask(verb, _pick(concerned or [job], job), argument, True)
        self._go_through(node, one)

    def fail(self, which: int) -> None:
        """A call that is under way fails, or its answer is lost."""
        found = _pick([(node, one) for node, one in self._standing() if one.at.partition(".")[0] in AWAY], which)
        if found is not None:
            self._fail(*found)

    def fail_at(self, which: int, boundary: str) -> None:
        """A certain call of a node fails; or, where the boundary lies after it, its answer is lost."""
        node, one = self.hold(which, boundary)
        if one.at == boundary:
            self._fail(node, one)

    def repeat_at(self, which: int, boundary: str) -> None:
        """A certain call of a node reaches the store twice; the answer is that to the second."""
        node, one = self.hold(which, boundary)
        if one.at == boundary and node.may_step(one):
            node.repeats = True
            node.step(one)
            node.repeats = False

    def stop_at(self, which: int, boundary: str, seconds: float) -> None:
        """A node stands still in the middle of something, as by SIGSTOP, for so long, and goes on."""
        node, one = self.hold(which, boundary)
        node.suspended = True
        self.advance(seconds)
        node.suspended = False
        self._go_through(node, one)
        if isinstance(node, WorkerNode):
            node.send_all()

    def suspend(self, which: int) -> None:
        """A node stands still."""
        self.nodes[which % len(self.nodes)].suspended = True

    def go_on(self, which: int) -> None:
        """One of those that stand still goes on."""
        node = _pick([node for node in self.nodes if node.suspended], which)
        if node is not None:
            node.suspended = False

    def crash_at(self, which: int, boundary: str) -> None:
        node, _ = self.hold(which, boundary)
        self._crash(node)

    def crash(self, which: int) -> None:
        """A node dies, and another takes its place."""
        self._crash(self.nodes[which % len(self.nodes)])

    def retire(self, which: int) -> None:
        """A worker ends as it does after its drain time: what was not sent is given back, the rest is interrupted."""
        worker = self.workers[which % len(self.workers)]
        if worker.suspended or self.away["store"] or worker.under_way:
            return
        worker.run("results")
        unsent, sent = worker.unsent, [ref for ref in worker.sends if ref not in worker.unsent]
        self.ledger.repeats += len(sent)
        worker.kill()
        now = worker.clock.now()
        Pass(lambda: worker.store.release(unsent, now)).run()
        Pass(lambda: worker.store.interrupt(sent, now)).run()
        Pass(worker.end_life).run()
        self.workers[self.workers.index(worker)] = self._worker()

    def go_away(self, what: str) -> None:
        """The store, the queue or the lock cannot be reached by anybody."""
        self.away[what] = True

    def come_back(self) -> None:
        self.away = dict.fromkeys(self.away, False)

    def all_lead(self, truly: bool) -> None:
        """The lock tells everybody that the lease is theirs; or it is honest again."""
        self.lock_lies = truly

    def lose_messages(self) -> None:
        self.queue.messages.clear()

    def double_messages(self) -> None:
        self.queue.messages.extend(list(self.queue.messages))

    def invent_message(self, which: int) -> None:
        """A message about one of a job's executions, whatever became of it, or about none."""
        job = _pick(self.jobs, which)
        if job is not None:
            execution_id = _pick(list(self.observer.executions[job.id]), which) or "exe_invented"
            self.queue.messages.append(
                QueueMessage(
                    execution_id=execution_id, job_id=job.id, workspace_id=WORKSPACE, host=job.host, scheduled_for=START
                )
            )

    # Time.

    def advance(self, seconds: float) -> None:
        """Time passes, and with it the beats and the reapers' looks."""
        end = self.time.elapsed + round(seconds * MICROSECONDS)
        self._excuse_the_silent()
        while due := self._due_timers(end):
            at, _, node, loop = min(due, key=lambda timer: timer[:2])
            self.time.elapsed = max(self.time.elapsed, at)
            node.run(loop)
            if loop in node.under_way:  # it waits for another pass of its node
                node.timers[loop] = end + 1
                self._excuse_the_silent()
        self.time.elapsed = end

    def stand_still(self, seconds: float) -> None:
        """All machines stand still for so long, as virtual ones do; afterwards nobody knows."""
        self.time.elapsed += round(seconds * MICROSECONDS)

    def step_clocks(self, seconds: float) -> None:
        """All clocks on walls are stepped."""
        self.time.stepped += timedelta(seconds=seconds)

    # What nodes tell.

    def called(self, worker: WorkerNode) -> None:
        """A worker's beat reached the store: it lives."""
        self.ledger.excused.discard(worker.worker_id or "")

    def buried(self, worker_id: str) -> None:
        """What an excused worker holds may be delivered twice from now on."""
        if worker_id not in self.ledger.excused:
            raise Broken(f"I12 {worker_id}: it was taken for dead, and it lives")
        holding = [worker.held for worker in self.workers if worker.worker_id == worker_id]
        self.ledger.repeats += sum(map(len, holding))

    @property
    def _kept(self) -> list[Job]:
        return [job for job in self.jobs if job.deleted_at is None]

    def _concerns(self, node: Node, job: Job) -> bool:
        if isinstance(node, SchedulerNode):
            return job.next_run is not None and job.next_run <= node.clock.now()
        return any(row["status"] in ("queued", "running") for row in self._executions(job))

    @property
    def _clockworks(self) -> list[Node]:
        return [*self.schedulers, *self.workers]

    def _due_timers(self, end: int) -> list[tuple[int, int, Node, str]]:
        return [
            (at, number, node, loop)
            for number, node in enumerate(self._clockworks)
            if not node.suspended
            for loop, at in node.timers.items()
            if at <= end and loop not in node.under_way
        ]

    def _standing(self) -> list[tuple[Node, Pass]]:
        """What may go on."""
        return [(node, one) for node in self.nodes for one in node.passes if node.may_step(one)]

    def _go_through(self, node: Node, one: Pass) -> None:
        while not one.done and node.may_step(one):
            node.step(one)

    def _fail(self, node: Node, one: Pass) -> None:
        if isinstance(node, WorkerNode) and one is node.under_way.get("beat"):
            self._excuse(node)
        node.fail(one)

    def _crash(self, node: Node) -> None:
        """What a dying worker had sent is delivered, and nobody hears of it."""
        node.kill()
        if isinstance(node, WorkerNode):
            for ref in (ref for ref, one in node.sends.items() if one.at == AWAITING_ANSWER):
                self.ledger.answered(ref.execution_id, ref.attempt_no, 200, heard=False)
            self._excuse(node)
            self.ledger.repeats += len(node.held)
            self.workers[self.workers.index(node)] = self._worker()
        elif isinstance(node, SchedulerNode):
            self.schedulers[self.schedulers.index(node)] = self._scheduler()

    def _excuse_the_silent(self) -> None:
        """Who stands still, or is stuck in its beat, may be taken for dead."""
        for worker in self.workers:
            if worker.suspended or "beat" in worker.under_way:
                self._excuse(worker)

    def _excuse(self, worker: WorkerNode) -> None:
        if worker.worker_id is not None:
            self.ledger.excused.add(worker.worker_id)

    def _call(self, call: Call, *, whole: bool) -> None:
        one = self.api.call(call)
        if whole and not self.api.suspended:
            self.api.run_call(one)

    def _executions(self, job: Job) -> Sequence[Mapping[str, Any]]:
        return list(self.observer.executions[job.id].values())

    def _scheduler(self) -> SchedulerNode:
        return SchedulerNode(self, *self._identity("scheduler"))

    def _worker(self) -> WorkerNode:
        return WorkerNode(self, *self._identity("worker"))

    def _identity(self, kind: str) -> tuple[str, timedelta]:
        """A name, and how far the wall clock is ahead."""
        self._made += 1
        return f"{kind}-{self._made}", timedelta(seconds=SKEWS[self._made % len(SKEWS)])


class _Hooks(NoHooks):
    def __init__(self, world: World) -> None:
        self._world = world

    def worker_buried(self, worker_id: str, now: datetime) -> None:
        self._world.buried(worker_id)

    def pass_failed(self, loop: str, error: BaseException) -> None:
        raise Broken(f"{loop}: {error!r}") from error


def _pick(items: Sequence[Any], which: int) -> Any:
    return items[which % len(items)] if items else None
