"""How the life of workers is known without comparing clocks."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

BEAT_INTERVAL = timedelta(seconds=2)
DEAD_AFTER = timedelta(seconds=8)
"""A beat unchanged for this long, counted over the observer's own successful reads, means death."""
TRUST_ENDS_AFTER = timedelta(seconds=7)
"""A worker that could not beat for this long starts no new send."""


@frozen(kw_only=True)
class WorkerBeat:
    """A living worker as the store knows it; ``beat`` is a counter that the worker moves."""

    worker_id: str
    beat: int
