from __future__ import annotations

from cronhook_core.testing.job_store.api_races import ApiRaces
from cronhook_core.testing.job_store.changes import (
    JobChange,
    JobCreation,
    JobDeletion,
    JobsOfOtherWorkspaces,
    ScheduleChange,
)
from cronhook_core.testing.job_store.claim_races import ClaimRaces
from cronhook_core.testing.job_store.claiming import Claiming, ClaimsWithinBytes, WhatMayBeClaimed, WhoMayClaim
from cronhook_core.testing.job_store.executions import AddingExecutions, CancellingExecutions
from cronhook_core.testing.job_store.fidelity import Fidelity
from cronhook_core.testing.job_store.finishing import Finishing, LateResults, RetriesOfStoppedJobs
from cronhook_core.testing.job_store.giving_back import GivingBack, Interrupting, Losing, Releasing
from cronhook_core.testing.job_store.held_jobs import HeldJobs
from cronhook_core.testing.job_store.idempotency import Idempotency
from cronhook_core.testing.job_store.job_ends import JobsThatAreGone, OneTimeJobs
from cronhook_core.testing.job_store.liveness import Abandoned, Liveness
from cronhook_core.testing.job_store.planning import DueJobs, NextDue, Planning
from cronhook_core.testing.job_store.planning_races import PlanningRaces
from cronhook_core.testing.job_store.queue_bounds import BoundedQueues
from cronhook_core.testing.job_store.quota import QuotaOfJobs, StoredBytes
from cronhook_core.testing.job_store.reads import ReadingAttempts, ReadingExecutions, ReadingJobs
from cronhook_core.testing.job_store.ready import Ready
from cronhook_core.testing.job_store.result_races import ResultRaces
from cronhook_core.testing.job_store.upkeep import PruningJobs, Upkeep
from cronhook_core.testing.job_store.zone_rules import RememberingZoneRules, RescheduledJobs, UpcomingJobs


class JobStoreContract:
    """Everything that a `JobStore` promises; pytest collects the parts as classes within the subclass."""

    TestJobChange = JobChange
    TestJobCreation = JobCreation
    TestJobDeletion = JobDeletion
    TestJobsOfOtherWorkspaces = JobsOfOtherWorkspaces
    TestScheduleChange = ScheduleChange
    TestAddingExecutions = AddingExecutions
    TestCancellingExecutions = CancellingExecutions
    TestBoundedQueues = BoundedQueues
    TestQuotaOfJobs = QuotaOfJobs
    TestStoredBytes = StoredBytes
    TestIdempotency = Idempotency
    TestReadingAttempts = ReadingAttempts
    TestReadingExecutions = ReadingExecutions
    TestReadingJobs = ReadingJobs
    TestFidelity = Fidelity
    TestDueJobs = DueJobs
    TestNextDue = NextDue
    TestPlanning = Planning
    TestReady = Ready
    TestClaiming = Claiming
    TestClaimsWithinBytes = ClaimsWithinBytes
    TestWhatMayBeClaimed = WhatMayBeClaimed
    TestWhoMayClaim = WhoMayClaim
    TestFinishing = Finishing
    TestLateResults = LateResults
    TestRetriesOfStoppedJobs = RetriesOfStoppedJobs
    TestJobsThatAreGone = JobsThatAreGone
    TestOneTimeJobs = OneTimeJobs
    TestGivingBack = GivingBack
    TestLosing = Losing
    TestInterrupting = Interrupting
    TestReleasing = Releasing
    TestAbandoned = Abandoned
    TestLiveness = Liveness
    TestUpkeep = Upkeep
    TestPruningJobs = PruningJobs
    TestRememberingZoneRules = RememberingZoneRules
    TestUpcomingJobs = UpcomingJobs
    TestRescheduledJobs = RescheduledJobs
    TestHeldJobs = HeldJobs
    TestApiRaces = ApiRaces
    TestClaimRaces = ClaimRaces
    TestPlanningRaces = PlanningRaces
    TestResultRaces = ResultRaces
