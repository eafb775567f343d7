"""The contract of `JobStore`, sentence by sentence.

A backend's test module provides the fixtures below and subclasses `JobStoreContract`::

    class TestMyStore(JobStoreContract):
        pass

``store``: a `JobStore` on an empty database. ``accounts``: an `AccountStore` on the same database. ``open_store``: an
`OpenStore`, a callable without arguments that opens one more store on it, as another process would; the fixture closes
what it opened. ``hold_job``: a `HoldJob`, a callable that takes a job and returns an asynchronous context manager,
which holds the job's row as another transaction would; a store without locks of rows returns ``nullcontext()``. Tests
are coroutines: pytest-asyncio runs them in its auto mode.
"""

from __future__ import annotations

import pytest

_PARTS = (
    "api_races",
    "changes",
    "claim_races",
    "claiming",
    "executions",
    "fidelity",
    "finishing",
    "giving_back",
    "held_jobs",
    "idempotency",
    "job_ends",
    "liveness",
    "planning",
    "planning_races",
    "queue_bounds",
    "quota",
    "racing",
    "reads",
    "ready",
    "result_races",
    "scene",
    "upkeep",
)
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from cronhook_core.testing.job_store.contract import JobStoreContract  # noqa: E402
from cronhook_core.testing.job_store.scene import HoldJob, OpenStore  # noqa: E402

__all__ = ["HoldJob", "JobStoreContract", "OpenStore"]
