"""Two hundred jobs with hostile receivers, up to a hundred at once, through the whole engine: each attempt ends at its
deadline with its own outcome, and the obedient jobs beside them are as punctual as ever."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.execution import Attempt
from cronhook_core.domain.job import Job, JobDefinition
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.domain.webhook import Outcome
from cronhook_core.embedded import Embedded, embedded
from tests.integration.sender.stub_resolver import StubResolver
from tests.integration.sender.test_hostile_receivers import AT_ONCE, AT_THE_DEADLINE
from tests.machine import machine_delay
from tests.receiver import Receiver

pytestmark = pytest.mark.suite("integration")

HOSTILE, OBEDIENT = 200, 60
TIMEOUT = timedelta(seconds=2)
APART = timedelta(milliseconds=20)
TOLERANCE = timedelta(milliseconds=250)
PUNCTUAL = timedelta(seconds=1)

OUTCOMES = {
    behaviour: outcome for behaviour, (outcome, _) in (AT_ONCE | AT_THE_DEADLINE).items() if behaviour != "never_reads"
}
"""With a body that the kernel takes whole, nobody notices that a receiver never reads: it is one that is silent."""
TAR_PITS = "a name server that never answers"


async def store(engine: Embedded, url: str, run_at: datetime) -> Job:
    definition = JobDefinition(
        name="a job",
        schedule=OneTimeSchedule(run_at),
        callback_url=url,
        timeout=TIMEOUT,
        retry_policy=RetryPolicy(delays=()),
    )
    return await engine.jobs.create(engine.workspace_id, definition)


async def attempt_of(engine: Embedded, job: Job) -> Attempt:
    async with asyncio.timeout(30):
        while True:
            attempts, _ = await engine.jobs.logs(engine.workspace_id, job.id)
            if attempts and attempts[0].outcome is not None:
                assert len(attempts) == 1
                return attempts[0]
            await asyncio.sleep(0.02)


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_hostile_jobs_beside_obedient_ones(
    names: StubResolver, receiver: Receiver, hostile_ports: Mapping[str, int]
) -> None:
    behaviours = [*OUTCOMES, TAR_PITS]
    names.answer("obedient.test", ["127.0.0.1"])
    for number in range(HOSTILE):
        is_tar_pit = behaviours[number % len(behaviours)] == TAR_PITS
        names.answer(f"hostile{number}.test", None if is_tar_pit else ["127.0.0.1"])
    sender = AiohttpSender(AllowedTargets.parse("127.0.0.0/8"), resolver=names)
    async with sender, embedded(sender) as engine:
        begin = datetime.now(UTC) + timedelta(seconds=2)
        hostile = {}
        for number in range(HOSTILE):
            behaviour = behaviours[number % len(behaviours)]
            url = f"http://hostile{number}.test:{hostile_ports.get(behaviour, 80)}/hook"
            hostile[(await store(engine, url, begin + number * APART)).id] = behaviour
        obedient = [
            await store(engine, f"http://obedient.test:{receiver.port}/{n}", begin + n * HOSTILE / OBEDIENT * APART)
            for n in range(OBEDIENT)
        ]
        with machine_delay() as delay:
            punctual = [(job, await attempt_of(engine, job)) for job in obedient]
            ended = [
                (behaviour, await attempt_of(engine, await engine.jobs.get(engine.workspace_id, job_id)))
                for job_id, behaviour in hostile.items()
            ]
        slack = timedelta(seconds=delay())
    wrong = [
        (behaviour, attempt.outcome, attempt.error)
        for behaviour, attempt in ended
        if attempt.outcome is not (Outcome.DNS_ERROR if behaviour == TAR_PITS else OUTCOMES[behaviour])
    ]
    assert wrong == []
    late = [(b, a.duration) for b, a in ended if a.duration is None or a.duration > TIMEOUT + TOLERANCE + slack]
    assert late == []
    assert {attempt.outcome for _, attempt in punctual} == {Outcome.SUCCEEDED}
    lateness = sorted(attempt.started_at - attempt.scheduled_for for _, attempt in punctual)
    assert lateness[-1] < PUNCTUAL + slack
