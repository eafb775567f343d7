"""Keeps what a soak has recorded, for whoever wants to know what happened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from tests.faults.history import History


def keep(history: History, card: Sequence[str], folder: Path) -> Path:
    """Writes the card, every record as lines of JSON, and every log; an older set in this folder is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.txt").write_text("\n".join(card) + "\n")
    for name in ("jobs", "executions", "attempts", "workers", "transitions"):
        _write(folder / f"{name}.jsonl", getattr(history.database, name))
    _write(folder / "acts.jsonl", map(attrs.asdict, history.acts))
    _write(folder / "arrivals.jsonl", map(attrs.asdict, history.arrivals))
    _write(folder / "faults.jsonl", map(attrs.asdict, history.fault_log.faults))
    _write(folder / "answers.jsonl", map(attrs.asdict, history.fault_log.answers))
    _write(folder / "probes.jsonl", map(attrs.asdict, history.fault_log.probes))
    for text in history.fault_log.texts:
        (folder / f"{text.source}.log").write_text(text.content)
    return folder.resolve()


def _write(path: Path, rows: Iterable[Any]) -> None:
    path.write_text("".join(json.dumps(row, default=_plain) + "\n" for row in rows))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return sorted(value) if isinstance(value, frozenset) else str(value)
