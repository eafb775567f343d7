"""Which workers live, and what becomes of the executions of those that do not."""

from __future__ import annotations

from cronhook_core.domain.execution import MAX_LOSSES, ExecutionStatus
from cronhook_core.domain.worker_life import WorkerBeat
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_id, retry, succeeded
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, OpenStore, Scene


class Liveness(JobStoreSuite):
    async def test_a_registered_worker_lives_at_beat_zero(self, store: JobStore, open_store: OpenStore) -> None:
        assert list(await store.worker_beats()) == []
        first, second = make_id("wrk"), make_id("wrk")
        await store.register_worker(first, NOW)
        await store.register_worker(second, LATER)
        expected = {WorkerBeat(worker_id=first, beat=0), WorkerBeat(worker_id=second, beat=0)}
        assert set(await (await open_store()).worker_beats()) == expected

    async def test_each_beat_moves_it_by_one(self, scene: Scene) -> None:
        worker_id, other = await scene.worker(), await scene.worker()
        for expected in (1, 2, 3):
            assert await scene.store.beat(worker_id, NOW)
            assert await self._beats(scene.store) == {worker_id: expected, other: 0}

    async def test_registering_again_changes_nothing(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        await scene.store.beat(worker_id, NOW)
        await scene.store.register_worker(worker_id, LATER)
        assert await self._beats(scene.store) == {worker_id: 1}

    async def test_an_unknown_worker_has_no_beat(self, store: JobStore) -> None:
        assert not await store.beat(make_id("wrk"), NOW)
        assert list(await store.worker_beats()) == []

    async def test_a_buried_worker_is_dead_for_ever(self, scene: Scene) -> None:
        worker_id, other = await scene.worker(), await scene.worker()
        assert await scene.store.bury_worker(worker_id, 0, NOW)
        assert await self._beats(scene.store) == {other: 0}
        assert not await scene.store.beat(worker_id, NOW)
        await scene.store.register_worker(worker_id, LATER)
        assert not await scene.store.beat(worker_id, LATER)
        assert await self._beats(scene.store) == {other: 0}

    async def test_a_worker_whose_beat_moved_is_not_buried(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        await scene.store.beat(worker_id, NOW)
        for beat in (0, 2, -1):
            assert not await scene.store.bury_worker(worker_id, beat, NOW)
        assert await self._beats(scene.store) == {worker_id: 1}
        assert await scene.store.bury_worker(worker_id, 1, NOW)

    async def test_a_worker_is_buried_once(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        assert await scene.store.bury_worker(worker_id, 0, NOW)
        assert not await scene.store.bury_worker(worker_id, 0, NOW)
        assert not await scene.store.bury_worker(make_id("wrk"), 0, NOW)

    async def test_a_retired_worker_is_forgotten(self, scene: Scene) -> None:
        worker_id, other = await scene.worker(), await scene.worker()
        await scene.store.retire_worker(worker_id)
        await scene.store.retire_worker(worker_id)
        await scene.store.retire_worker(make_id("wrk"))
        assert await self._beats(scene.store) == {other: 0}
        assert not await scene.store.beat(worker_id, NOW)
        assert not await scene.store.bury_worker(worker_id, 0, NOW)

    async def _beats(self, store: JobStore) -> dict[str, int]:
        return {beat.worker_id: beat.beat for beat in await store.worker_beats()}


class Abandoned(JobStoreSuite):
    async def test_what_a_buried_worker_held_is_lost(self, scene: Scene) -> None:
        dead, alive = await scene.worker(), await scene.worker()
        job = await scene.job()
        lost = [await scene.running(job, worker_id=dead) for _ in range(3)]
        kept = await scene.running(job, worker_id=alive)
        done = await scene.running(job, worker_id=dead)
        await scene.store.finish([succeeded(done)], LATER)
        await scene.bury(dead)
        verdicts = await scene.store.lose_abandoned(LATER, 10)
        assert {(v.execution_id, v.attempt_no) for v in verdicts} == {(c.execution_id, 1) for c in lost}
        for verdict in verdicts:
            assert (verdict.accepted, verdict.status) == (True, ExecutionStatus.QUEUED)
            assert verdict.next_attempt_at == LATER
        for claim in lost:
            stored, [attempt] = await scene.now_of(claim), await scene.attempts(claim)
            assert (stored.losses, stored.available_at, stored.worker_id) == (1, LATER, None)
            assert attempt.status == "lost"
        assert (await scene.now_of(kept)).status is ExecutionStatus.RUNNING
        assert (await scene.now_of(done)).status is ExecutionStatus.SUCCEEDED
        assert list(await scene.store.running(dead)) == []

    async def test_nothing_is_lost_while_all_live(self, scene: Scene) -> None:
        assert list(await scene.store.lose_abandoned(LATER, 10)) == []
        claim = await scene.running(await scene.job())
        assert list(await scene.store.lose_abandoned(LATER, 10)) == []
        assert (await scene.now_of(claim)).status is ExecutionStatus.RUNNING

    async def test_repeating_it_finds_nothing_more(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        claim = await scene.running(await scene.job(), worker_id=worker_id)
        await scene.bury(worker_id)
        await scene.store.lose_abandoned(LATER, 10)
        before = await scene.now_of(claim)
        assert list(await scene.store.lose_abandoned(LATER + MINUTE, 10)) == []
        assert await scene.now_of(claim) == before

    async def test_no_more_than_the_limit_at_once(self, scene: Scene) -> None:
        job = await scene.job()
        workers = [await scene.worker() for _ in range(2)]
        claims = [await scene.running(job, worker_id=workers[n % 2]) for n in range(5)]
        for worker_id in workers:
            await scene.bury(worker_id)
        found = [await scene.store.lose_abandoned(LATER, 2) for _ in range(4)]
        assert [len(verdicts) for verdicts in found] == [2, 2, 1, 0]
        assert {v.execution_id for verdicts in found for v in verdicts} == {c.execution_id for c in claims}

    async def test_an_unknown_worker_is_not_alive(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        claim = await scene.running(await scene.job(), worker_id=worker_id)
        await scene.store.retire_worker(worker_id)
        [verdict] = await scene.store.lose_abandoned(LATER, 10)
        assert verdict.execution_id == claim.execution_id

    async def test_the_third_loss_fails_and_a_stopped_jobs_execution_is_cancelled(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        doomed = await scene.claim(await scene.lost(await scene.job(), MAX_LOSSES - 1), worker_id=worker_id)
        deleted = await scene.job()
        unwanted = await scene.running(deleted, worker_id=worker_id)
        await scene.delete(deleted)
        await scene.bury(worker_id)
        verdicts = {v.execution_id: v for v in await scene.store.lose_abandoned(LATER, 10)}
        doom, end = verdicts[doomed.execution_id], verdicts[unwanted.execution_id]
        assert (doom.status, doom.reason) == (ExecutionStatus.FAILED, "lost")
        assert (end.status, end.reason) == (ExecutionStatus.CANCELLED, "deleted")

    async def test_results_of_a_buried_worker_count_by_the_fence(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        job = await scene.job()
        in_time, late = [await scene.running(job, worker_id=worker_id) for _ in range(2)]
        await scene.bury(worker_id)
        [first] = await scene.store.finish([retry(in_time, LATER)], LATER)
        assert (first.accepted, first.status) == (True, ExecutionStatus.QUEUED)
        [lost] = await scene.store.lose_abandoned(LATER, 10)
        assert lost.execution_id == late.execution_id
        [second] = await scene.store.finish([succeeded(late, LATER)], LATER)
        assert (second.accepted, second.status) == (True, ExecutionStatus.SUCCEEDED)
