"""Reading jobs, executions and attempts: order, pages, filters."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.domain.execution import Attempt, ExecutionStatus, Trigger
from cronhook_core.domain.job import NULL_PAYLOAD, InactiveReason, Job, JobStatus
from cronhook_core.domain.webhook import Outcome
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.testing.builders import (
    MINUTE,
    NOW,
    gave_up,
    make_execution,
    make_id,
    make_job,
    make_result,
    retry,
    succeeded,
)
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

HOSTILE_TAGS = ("a,b", 'say "no"', "it's", "100%", "under_score", "back\\slash", "[]", "né\u0301e", "🦊", " space ")


class ReadingJobs(JobStoreSuite):
    async def test_last_run_speaks_of_the_newest_execution(self, scene: Scene) -> None:
        job = await scene.job()
        assert (await scene.job_now(job)).last_run is None
        execution = await scene.planned(job)
        stored = await scene.job_now(job)
        assert (stored.last_run, stored.last_run_status) == (execution.scheduled_for, ExecutionStatus.QUEUED)
        claim = await scene.claim(execution)
        assert (await scene.job_now(job)).last_run_status is ExecutionStatus.RUNNING
        await scene.store.finish([succeeded(claim)], LATER)
        assert (await scene.job_now(job)).last_run_status is ExecutionStatus.SUCCEEDED
        newer = await scene.queued(job, at=LATER)
        stored = await scene.job_now(job)
        assert (stored.last_run, stored.last_run_status) == (newer.scheduled_for, ExecutionStatus.QUEUED)
        [listed] = await scene.store.list_jobs(job.workspace_id, JobFilter(), limit=1)
        assert listed == stored

    async def test_an_unknown_job_is_absent(self, scene: Scene) -> None:
        assert await scene.store.get_job((await scene.workspace()).id, make_id("job")) is None

    async def test_they_are_listed_newest_first(self, scene: Scene) -> None:
        made = [await scene.job(created_at=NOW + index * MINUTE) for index in (2, 0, 1)]
        listed = await scene.store.list_jobs(made[0].workspace_id, JobFilter(), limit=10)
        assert list(listed) == [made[0], made[2], made[1]]

    async def test_pages_go_on_where_the_last_one_ended(self, scene: Scene) -> None:
        made = [await scene.job(created_at=NOW - index * MINUTE) for index in range(7)]
        workspace_id, store = made[0].workspace_id, scene.store
        first = await store.list_jobs(workspace_id, JobFilter(), limit=3)
        await scene.job(created_at=LATER)
        await scene.delete(first[-1])
        second = await store.list_jobs(workspace_id, JobFilter(), limit=3, before_id=first[-1].id)
        third = await store.list_jobs(workspace_id, JobFilter(), limit=3, before_id=second[-1].id)
        assert [*first, *second, *third] == made
        assert list(await store.list_jobs(workspace_id, JobFilter(), limit=3, before_id=third[-1].id)) == []

    async def test_jobs_made_in_the_same_millisecond_are_paged_completely(self, scene: Scene) -> None:
        made = await scene.jobs(9)
        seen: list[Job] = []
        while page := await scene.store.list_jobs(
            made[0].workspace_id, JobFilter(), limit=2, before_id=seen[-1].id if seen else None
        ):
            seen.extend(page)
        assert seen == sorted(made, key=lambda job: job.id, reverse=True)

    async def test_a_list_may_leave_payloads_where_they_are(self, scene: Scene) -> None:
        job = await scene.job(payload=b'{"a": 1}', tags=("kept",), metadata={"k": "v"})
        await scene.queued(job, at=LATER)
        [listed] = await scene.store.list_jobs(job.workspace_id, JobFilter(), limit=1, with_payload=False)
        whole = await scene.job_now(job)
        assert listed == evolve(whole, definition=evolve(whole.definition, payload=NULL_PAYLOAD))

    @pytest.mark.parametrize("with_payload", [True, False])
    async def test_a_list_ends_with_the_job_that_takes_more_bytes_than_wanted(
        self, scene: Scene, with_payload: bool
    ) -> None:
        large = {"payload": b'"' + b"x" * 998 + b'"'} if with_payload else {"metadata": {"k": "v" * 500}}
        made = [await scene.job(created_at=NOW - n * MINUTE, **large) for n in range(5)]
        bytes_of_one = made[0].definition.stored_bytes
        workspace_id, store = made[0].workspace_id, scene.store

        async def count(max_bytes: int, **more: Any) -> int:
            return len(
                await store.list_jobs(
                    workspace_id, JobFilter(), limit=4, with_payload=with_payload, max_bytes=max_bytes, **more
                )
            )

        assert await count(0) == 1
        assert await count(bytes_of_one - 1) == 1
        assert await count(bytes_of_one) == 2
        assert await count(2 * bytes_of_one) == 3
        assert await count(9 * bytes_of_one) == 4
        assert await count(9 * bytes_of_one, before_id=made[1].id) == 3

    @pytest.mark.parametrize("oldest_first", [False, True])
    async def test_what_runs_has_its_place_among_them(self, scene: Scene, oldest_first: bool) -> None:
        job, store = await scene.job(), scene.store
        executions = [await scene.queued(job) for _ in range(9)]
        claims = [
            await scene.claim(execution, now=LATER + n * MINUTE) for n, execution in enumerate(executions, start=1)
        ]
        await store.finish([succeeded(claim) for n, claim in enumerate(claims) if n not in (0, 3, 4, 8)], LATER)
        expected = [claim.execution_id for claim in (claims if oldest_first else claims[::-1])]
        for limit in (1, 2, 4, 20):
            seen: list[Attempt] = []
            for offset in range(0, 12, limit):
                page, total = await store.list_attempts(
                    job.workspace_id, job.id, oldest_first=oldest_first, offset=offset, limit=limit
                )
                seen += page
                assert total == 9
            assert [attempt.execution_id for attempt in seen] == expected
        assert Counter(attempt.status for attempt in seen) == {"running": 4, "succeeded": 5}

    async def test_they_are_filtered_by_status(self, scene: Scene) -> None:
        active = await scene.job()
        paused = await scene.job(status=JobStatus.PAUSED)
        inactive = await scene.job(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.COMPLETED)
        for job in (active, paused, inactive):
            assert await self._found(scene, JobFilter(status=job.status)) == [job]

    async def test_they_are_filtered_by_one_whole_tag(self, scene: Scene) -> None:
        tagged = await scene.job(tags=("blue", "green"))
        await scene.jobs(2, tags=("blueish",))
        await scene.job()
        assert await self._found(scene, JobFilter(tag="blue")) == [tagged]
        assert await self._found(scene, JobFilter(tag="green")) == [tagged]
        for near in ("Blue", "blu", "lue", "", "blue,green", "%", "_lue", '"blue"', "blue "):
            assert await self._found(scene, JobFilter(tag=near)) == []

    @pytest.mark.parametrize("tag", HOSTILE_TAGS)
    async def test_a_tag_is_taken_literally(self, scene: Scene, tag: str) -> None:
        tagged = await scene.job(tags=(tag, "other"))
        for other in HOSTILE_TAGS:
            if other != tag:
                await scene.job(tags=(other,))
        assert await self._found(scene, JobFilter(tag=tag)) == [tagged]

    async def test_they_are_filtered_by_text_in_their_name(self, scene: Scene) -> None:
        report = await scene.job(name="Nightly REPORT of sales")
        umlaut = await scene.job(name="Übersicht 東京 🦊")
        for text in ("report", "Report", "NIGHTLY", "t of s", "sales"):
            assert await self._found(scene, JobFilter(text=text)) == [report]
        for text in ("Übersicht", "ÜBERSICHT", "東京", "🦊"):
            assert await self._found(scene, JobFilter(text=text)) == [umlaut]
        assert await self._found(scene, JobFilter(text="reports")) == []

    @pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "*", "?", "[a]", "; DROP TABLE jobs; --", "\\%"])
    async def test_text_is_taken_literally(self, scene: Scene, text: str) -> None:
        found = await scene.job(name=f"before{text}after")
        await scene.job(name="before-after")
        assert await self._found(scene, JobFilter(text=text)) == [found]
        assert await self._found(scene, JobFilter(text=f"E{text}A")) == [found]

    async def test_filters_hold_together(self, scene: Scene) -> None:
        both = await scene.job(name="backup of a", tags=("db",), created_at=NOW)
        await scene.job(name="backup of b")
        await scene.job(name="restore", tags=("db",))
        await scene.job(name="backup of c", tags=("db",), status=JobStatus.PAUSED)
        older = await scene.job(name="backup of d", tags=("db",), created_at=NOW - MINUTE)
        matching = JobFilter(status=JobStatus.ACTIVE, tag="db", text="BACKUP")
        assert await self._found(scene, matching) == [both, older]
        paged = await scene.store.list_jobs(both.workspace_id, matching, limit=5, before_id=both.id)
        assert list(paged) == [older]
        assert list(await scene.store.list_jobs(both.workspace_id, matching, limit=1)) == [both]

    async def _found(self, scene: Scene, matching: JobFilter) -> list[Job]:
        return list(await scene.store.list_jobs((await scene.workspace()).id, matching, limit=100))


class ReadingExecutions(JobStoreSuite):
    async def test_they_are_listed_newest_first_and_paged(self, scene: Scene) -> None:
        job, other = await scene.jobs(2)
        await scene.queued(other)
        made = [await scene.queued(job, at=NOW - index * MINUTE) for index in range(5)]
        store = scene.store
        first = await store.list_executions(job.workspace_id, job.id, limit=2)
        await scene.queued(job, at=LATER)
        second = await store.list_executions(job.workspace_id, job.id, limit=2, before_id=first[-1].id)
        third = await store.list_executions(job.workspace_id, job.id, limit=2, before_id=second[-1].id)
        assert [*first, *second, *third] == made

    async def test_they_are_filtered_by_status(self, scene: Scene) -> None:
        job = await scene.job()
        queued, running, cancelled = [await scene.queued(job, at=NOW - index * MINUTE) for index in range(3)]
        await scene.claim(running)
        await scene.store.cancel_execution(job.workspace_id, cancelled.id, now=NOW)
        for status, execution in (
            (ExecutionStatus.QUEUED, queued),
            (ExecutionStatus.RUNNING, running),
            (ExecutionStatus.CANCELLED, cancelled),
        ):
            found = await scene.store.list_executions(job.workspace_id, job.id, status=status, limit=10)
            assert [e.id for e in found] == [execution.id]
        later = await scene.store.list_executions(
            job.workspace_id, job.id, status=ExecutionStatus.QUEUED, limit=10, before_id=queued.id
        )
        assert list(later) == []

    async def test_an_unknown_one_is_absent(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        assert await scene.store.get_execution(workspace_id, make_id("exe")) is None
        assert list(await scene.store.attempts_of(workspace_id, make_id("exe"))) == []
        assert list(await scene.store.list_executions(workspace_id, make_id("job"), limit=1)) == []

    async def test_every_field_is_kept(self, scene: Scene) -> None:
        job = await scene.job()
        made = make_execution(
            job,
            trigger=Trigger.REPLAY,
            host="other.example",
            available_at=NOW + timedelta(microseconds=1),
            created_at=NOW - timedelta(microseconds=1),
            missed_count=999,
            missed_from=NOW - MINUTE,
        )
        await scene.store.add_execution(made, now=NOW)
        assert await scene.now_of(made) == made


class ReadingAttempts(JobStoreSuite):
    async def test_they_are_paged_by_their_start(self, scene: Scene) -> None:
        job, other = await scene.jobs(2)
        await scene.running(other)
        worker_id = await scene.worker()
        starts = [LATER + index * MINUTE for index in (3, 0, 4, 1, 2)]
        claims = {at: await scene.claim(await scene.queued(job), worker_id=worker_id, now=at) for at in starts}
        oldest_first = [claims[at].execution_id for at in sorted(starts)]
        for wanted, backwards in ((oldest_first, True), (oldest_first[::-1], False)):
            for offset in range(7):
                page, total = await scene.store.list_attempts(
                    job.workspace_id, job.id, oldest_first=backwards, offset=offset, limit=2
                )
                assert ([attempt.execution_id for attempt in page], total) == (wanted[offset : offset + 2], 5)

    async def test_those_of_one_start_are_paged_by_id(self, scene: Scene) -> None:
        job = await scene.job()
        executions = [await scene.queued(job) for _ in range(6)]
        await scene.store.claim([e.id for e in executions], worker_id=await scene.worker(), now=LATER)
        seen = []
        for offset in (0, 2, 4):
            page, _ = await scene.store.list_attempts(job.workspace_id, job.id, offset=offset, limit=2)
            seen += [attempt.id for attempt in page]
        assert seen == sorted(seen, reverse=True)
        assert len(set(seen)) == 6

    async def test_they_are_filtered_by_status(self, scene: Scene) -> None:
        job = await scene.job()
        claims = {
            word: await scene.running(job)
            for word in ("running", "succeeded", "failed", "lost", "interrupted", "late_succeeded", "late_failed")
        }
        claims["timed out"] = await scene.running(job)
        store = scene.store
        late = [claims[word] for word in ("late_succeeded", "late_failed")]
        await store.lose([claim.ref for claim in (claims["lost"], *late)], LATER)
        await store.interrupt([claims["interrupted"].ref], LATER)
        await store.claim([claim.execution_id for claim in late], worker_id=await scene.worker(), now=LATER + MINUTE)
        await store.finish(
            [
                succeeded(claims["succeeded"]),
                gave_up(claims["failed"]),
                retry(claims["timed out"], result=make_result(Outcome.TIMEOUT)),
                succeeded(claims["late_succeeded"]),
                gave_up(claims["late_failed"]),
            ],
            LATER,
        )
        for word, names in {
            "succeeded": {"succeeded"},
            "failed": {"failed", "timed out"},
            "lost": {"lost"},
            "interrupted": {"interrupted"},
            "late_succeeded": {"late_succeeded"},
            "late_failed": {"late_failed"},
            "released": set(),
            "nonsense": set(),
        }.items():
            page, total = await store.list_attempts(job.workspace_id, job.id, status=word, offset=0, limit=50)
            assert {attempt.execution_id for attempt in page} == {claims[name].execution_id for name in names}
            assert ([attempt.status for attempt in page], total) == ([word] * len(names), len(names))
        running, total = await store.list_attempts(job.workspace_id, job.id, status="running", offset=0, limit=50)
        assert {(a.execution_id, a.attempt_no) for a in running} == {
            (claims["running"].execution_id, 1),
            *((claim.execution_id, 2) for claim in late),
        }
        assert total == 3

    @pytest.mark.parametrize("status", [None, "succeeded", "running"])
    async def test_they_are_counted_up_to_a_bound(self, scene: Scene, status: str | None) -> None:
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(6)]
        await scene.store.finish([succeeded(claim) for claim in claims[:3]], LATER)
        number = 6 if status is None else 3
        for bound, total in ((number, number), (number - 1, None)):
            page = await scene.store.list_attempts(
                job.workspace_id, job.id, status=status, offset=1, limit=1, count_up_to=bound
            )
            assert (len(page[0]), page[1]) == (1, total)

    async def test_released_ones_are_not_shown(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job)
        await scene.store.release([claim.ref], LATER)
        again = await scene.claim(await scene.now_of(claim), now=LATER + MINUTE)
        await scene.store.finish([retry(again, LATER)], LATER)
        third = await scene.claim(await scene.now_of(claim), now=LATER + MINUTE)
        page, total = await scene.store.list_attempts(job.workspace_id, job.id, offset=0, limit=10)
        assert ([attempt.attempt_no for attempt in page], total) == ([third.attempt_no, again.attempt_no], 2)
        assert [attempt.attempt_no for attempt in await scene.attempts(claim)] == [2, 3]
        assert (await scene.now_of(claim)).attempts == 2
        for status in ("released", "failed"):
            _, total = await scene.store.list_attempts(job.workspace_id, job.id, status=status, offset=0, limit=10)
            assert total == (1 if status == "failed" else 0)

    async def test_a_job_without_attempts_has_an_empty_page(self, scene: Scene) -> None:
        job = await scene.job()
        page, total = await scene.store.list_attempts(job.workspace_id, job.id, offset=0, limit=10)
        assert (list(page), total) == ([], 0)
        page, total = await scene.store.list_attempts(job.workspace_id, make_job("wsp_1").id, offset=5, limit=10)
        assert (list(page), total) == ([], 0)
