"""I13 to I18: what the API promised stands, nothing leaks or breaks, and after a fault all is well by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from urllib.parse import quote

from tests.faults.history import Act, Answer, Bounds, Cron, Fault, History, Once, Row, Violation

UNHANDLED = (
    "Traceback (most recent call last)",
    "Task exception was never retrieved",
    "exception was never retrieved",
    "was never awaited",
    '"pass_failed"',
    "Unclosed client session",
    "Unclosed connection",
    "The garbage collector is trying to clean up",
)


def no_broken_promise(history: History, bounds: Bounds) -> Iterator[Violation]:
    """What the API answered 2xx for is there."""
    for job_id, acts in history.acts_of.items():
        job = history.jobs.get(job_id)
        if job is not None:
            yield from _job_promises(job, acts)
        elif any(act.answered_at is not None for act in acts):
            yield Violation("I13", job_id, "it was answered 2xx, and there is no such job")
        yield from _execution_promises(acts, history)


def no_overflow(history: History, bounds: Bounds) -> Iterator[Violation]:
    """No process grows beyond its cap."""
    for sample in history.fault_log.memory:
        if bounds.memory_bytes is not None and sample.resident_bytes > bounds.memory_bytes:
            yield Violation("I14", sample.process, f"it held {sample.resident_bytes} bytes at {sample.at}")


def no_leaked_secret(history: History, bounds: Bounds) -> Iterator[Violation]:
    """No planted secret stands anywhere in clear, nor as a part of a URL."""
    for text in history.fault_log.texts:
        for number, secret in enumerate(history.fault_log.planted_secrets):
            if secret in text.content or quote(secret, safe="") in text.content:
                yield Violation("I15", text.source, f"the planted secret number {number} stands there")


def no_unhandled_error(history: History, bounds: Bounds) -> Iterator[Violation]:
    """No traceback in any log; no 5xx but a deliberate 503 that says when to come back, and ``/health``'s 500."""
    for text in history.fault_log.texts:
        for sign in (sign for sign in UNHANDLED if sign in text.content):
            yield Violation("I16", text.source, f"an error was not handled: {sign}")
    for answer in history.fault_log.answers:
        if answer.status >= 500 and not _is_deliberate(answer):
            yield Violation("I16", f"{answer.method} {answer.path}", f"it was answered {answer.status} at {answer.at}")


def no_crossing(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Rows stay in their job's workspace, and nobody is shown another's."""
    owner = {row["id"]: row["workspace_id"] for row in (*history.database.jobs, *history.database.executions)}
    for kind, rows in (("execution", history.database.executions), ("attempt", history.database.attempts)):
        for row in rows:
            if row["workspace_id"] != owner.get(row["job_id"], row["workspace_id"]):
                name = row["id"] if kind == "execution" else f"{row['execution_id']} attempt {row['attempt_no']}"
                yield Violation("I17", name, "it is in another workspace than its job")
    for answer in history.fault_log.answers:
        shown = sorted(known for known in answer.ids if owner.get(known, answer.workspace_id) != answer.workspace_id)
        for foreign in shown:
            yield Violation("I17", f"{answer.method} {answer.path}", f"{foreign} was shown to another workspace")


def no_lasting_damage(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Soon after a fault, and unless the next one has hit by then, every process works, the same process as before."""
    processes = {probe.process for probe in history.fault_log.probes}
    for fault in history.fault_log.faults:
        if not _is_cut_short(fault, history.fault_log.faults, bounds.recovery):
            for process in sorted(processes):
                yield from _unhealed(process, fault, history, bounds)


def _job_promises(job: Row, acts: Sequence[Act]) -> Iterator[Violation]:
    deleted = any(act.kind == "delete" and act.answered_at is not None for act in acts)
    if deleted and job["deleted_at"] is None:
        yield Violation("I13", job["id"], "its deletion was answered 2xx, and it is there")
    written = _last(acts, "create", "edit")
    if written is not None and written.schedule is not None and written.schedule != _schedule(job):
        yield Violation("I13", job["id"], f"{written.schedule} was answered 2xx, and it has {_schedule(job)}")
    state = _last(acts, "pause", "resume")
    if state is None or deleted or job["deleted_at"] is not None:
        return
    if state.kind == "pause" and job["status"] == "active" and not _was_revived(acts, state):
        yield Violation("I13", job["id"], "its pause was answered 2xx, and it is active")
    if state.kind == "resume" and job["status"] == "paused":
        yield Violation("I13", job["id"], "its resumption was answered 2xx, and it is paused")


def _execution_promises(acts: Sequence[Act], history: History) -> Iterator[Violation]:
    for act in (act for act in acts if act.execution_id is not None and act.answered_at is not None):
        execution = history.executions.get(str(act.execution_id))
        if execution is None:
            yield Violation("I13", str(act.execution_id), f"its {act.kind} was answered 2xx, and it is not there")
        elif act.kind == "cancel" and execution["status"] != "cancelled":
            yield Violation("I13", execution["id"], f"its cancelling was answered 2xx, and it is {execution['status']}")


def _last(acts: Sequence[Act], *kinds: str) -> Act | None:
    """The last act of these kinds, unless nobody knows whether it took place."""
    found = [act for act in acts if act.kind in kinds]
    return found[-1] if found and found[-1].answered_at is not None else None


def _was_revived(acts: Sequence[Act], pause: Act) -> bool:
    """A receiver's answer made a paused job inactive, and another schedule made it active again."""
    later = [act.kind for act in acts[acts.index(pause) :]]
    ended = [index for index, kind in enumerate(later) if kind in ("gone", "ended")]
    return bool(ended) and "edit" in later[ended[0] :]


def _schedule(job: Row) -> Cron | Once:
    return Once(job["run_at"]) if job["cron"] is None else Cron(job["cron"], job["timezone"])


def _is_deliberate(answer: Answer) -> bool:
    return (answer.status == 503 and answer.retry_after) or (answer.status == 500 and answer.path == "/health")


def _is_cut_short(fault: Fault, faults: Sequence[Fault], recovery: timedelta) -> bool:
    others = (other for other in faults if other is not fault)
    return any(other.began < fault.ended + recovery and fault.ended < other.ended for other in others)


def _unhealed(process: str, fault: Fault, history: History, bounds: Bounds) -> Iterator[Violation]:
    probes = [probe for probe in history.fault_log.probes if probe.process == process]
    after = [probe for probe in probes if fault.ended < probe.at <= fault.ended + bounds.recovery]
    name = f"{process} after {fault.kind} of {fault.target}"
    if not any(probe.healthy for probe in after):
        yield Violation("I18", name, f"it was not seen healthy within {bounds.recovery.total_seconds():g} s")
    before = {probe.pid for probe in probes if probe.at <= fault.began}
    if not _was_hit(process, fault, history.fault_log.faults) and before and not {p.pid for p in after} <= before:
        yield Violation("I18", name, "it was restarted")


def _was_hit(process: str, fault: Fault, faults: Sequence[Fault]) -> bool:
    """Whether this fault, or another one in its time, was of the process itself."""
    return any(
        other.target == process and other.ended >= fault.began and other.began <= fault.ended
        for other in (fault, *faults)
    )
