import asyncio
import io
import json
import logging
import re
import time
import timeit
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import structlog

from cronhook_core.domain.addresses import AllowedTargets, DeniedTargets
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.webhook import Outcome
from cronhook_core.testing.builders import NOW, make_job, make_result, retry, succeeded
from cronhook_server.logging_hooks import LoggingHooks
from cronhook_server.logs import MAX_FIELD_LENGTH, configure_logging, log_at_start
from cronhook_server.settings import LogFormat
from tests.unit.server.engine_values import make_claim, verdict_on


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines_of(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_daemons_write_json_lines(stream: io.StringIO) -> None:
    configure_logging(None, stream)
    structlog.get_logger("x").info("happened", name='ä "\n', n=1)
    logging.getLogger("library").warning("text %s", "1")
    ours, library = lines_of(stream)
    assert list(ours)[:3] == ["timestamp", "level", "event"]
    assert (ours["event"], ours["level"], ours["name"], ours["n"]) == ("happened", "info", 'ä "\n', 1)
    assert (library["event"], library["level"], library["logger"]) == ("text 1", "warning", "library")


class Broken(io.StringIO):
    """The reader of a pipe that has ended, or a full disk."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(f"nobody reads {text!r}")

    def flush(self) -> None:
        raise BrokenPipeError("nobody reads")


@pytest.mark.parametrize("log_format", LogFormat)
@pytest.mark.parametrize("lines_together", [False, True])
def test_a_log_that_cannot_be_written_stops_nobody(
    stream: io.StringIO, log_format: LogFormat, lines_together: bool
) -> None:
    """A hook that raised would end the loop of the engine that called it, and an orderly end would be none."""
    for broken in (Broken(), io.StringIO()):
        configure_logging(log_format, broken, lines_together=lines_together)
        if type(broken) is io.StringIO:
            broken.close()
        structlog.get_logger("x").info("happened")
        structlog.get_logger("x").error("happened")
        hooks = LoggingHooks()
        hooks.leadership_changed(True, "it asked first")
        hooks.pass_failed("results", OSError("odd"))
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("value", "read"), [("\ud800", "\ud800"), (2**80, 2**80), (ValueError("no"), "no"), (float("inf"), None)]
)
def test_whatever_a_field_is_the_line_is_written(stream: io.StringIO, value: object, read: object) -> None:
    configure_logging(LogFormat.JSON, stream)
    structlog.get_logger("x").info("happened", value=value)
    assert lines_of(stream)[0]["value"] == read


@pytest.mark.parametrize("length", [MAX_FIELD_LENGTH + 1, 10_000])
@pytest.mark.parametrize("letter", ["x", "ä", "\n", "\ud800"])
def test_user_text_is_capped(stream: io.StringIO, letter: str, length: int) -> None:
    configure_logging(LogFormat.JSON, stream)
    structlog.get_logger("x").info("happened", name=letter * length, other=letter * MAX_FIELD_LENGTH)
    (line,) = lines_of(stream)
    assert line["name"] == letter * (MAX_FIELD_LENGTH - 1) + "…"
    assert line["other"] == letter * MAX_FIELD_LENGTH


def test_the_text_of_libraries_is_capped(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    logging.getLogger("library").warning("x" * 10_000)
    assert len(str(lines_of(stream)[0]["event"])) == MAX_FIELD_LENGTH


def test_user_text_is_capped_for_people_too(stream: io.StringIO) -> None:
    configure_logging(LogFormat.CONSOLE, stream)
    structlog.get_logger("x").info("happened", name="x" * 10_000)
    assert "x" * (MAX_FIELD_LENGTH - 1) + "…" in stream.getvalue()


def test_user_text_does_nothing_to_a_terminal(stream: io.StringIO) -> None:
    """Anybody can ask for a path."""
    configure_logging(LogFormat.CONSOLE, stream)
    structlog.get_logger("x").info("request", route="/a\x1b[31m\x9b\u202e\n/é")
    logging.getLogger("library").warning("two\nlines\x07")
    written = stream.getvalue()
    assert r"route=/a\x1b[31m\x9b\u202e\n/é" in written
    assert "two\nlines\\x07" in written
    try:
        raise ValueError("\x1b[31m")
    except ValueError as error:
        structlog.get_logger("x").error("failed", exc_info=error)
    assert "\x1b" not in stream.getvalue()


def test_a_traceback_is_whole(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    try:
        raise ValueError("no" * MAX_FIELD_LENGTH)
    except ValueError as error:
        structlog.get_logger("x").error("failed", exc_info=error)
    assert str(lines_of(stream)[0]["exception"]).endswith("no" * MAX_FIELD_LENGTH)


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_tracebacks_show_no_variables(stream: io.StringIO, log_format: LogFormat) -> None:
    configure_logging(log_format, stream)
    try:
        api_key = f"chk_{'canary'}"
        raise ValueError("no")
    except ValueError as error:
        structlog.get_logger("x").error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
        assert api_key
    assert stream.getvalue().count("ValueError: no") == 2
    assert "chk_canary" not in stream.getvalue()


def test_a_terminal_shows_lines_for_people(stream: io.StringIO) -> None:
    configure_logging(LogFormat.CONSOLE, stream)
    LoggingHooks().worker_buried("wrk_1", NOW)
    (line,) = stream.getvalue().splitlines()
    assert re.fullmatch(r"\S+Z \[warning +\] worker_buried +worker_id=wrk_1", line)


def test_a_stream_that_is_a_terminal_is_noticed(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "isatty", lambda: True)
    configure_logging(None, stream)
    LoggingHooks().worker_buried("wrk_1", NOW)
    assert "worker_buried" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_an_attempt_is_one_line(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    job = make_job("wsp_1")
    claim = make_claim(job)
    report = retry(claim, NOW + timedelta(seconds=1), result=make_result(Outcome.HTTP_ERROR))
    verdict = verdict_on(claim, ExecutionStatus.QUEUED, next_attempt_at=NOW + timedelta(minutes=1))
    LoggingHooks().attempt_finished(claim, report, verdict)
    (line,) = lines_of(stream)
    assert (
        line.items()
        >= {
            "event": "attempt",
            "level": "warning",
            "job_id": job.id,
            "execution_id": claim.execution_id,
            "attempt": 1,
            "outcome": "http_error",
            "status": 500,
            "duration_ms": 125.0,
            "lateness_ms": 875.0,
        }.items()
    )


@pytest.mark.parametrize(
    ("status", "outcome", "accepted", "level", "told"),
    [
        (ExecutionStatus.SUCCEEDED, Outcome.SUCCEEDED, True, "info", {"execution": "succeeded"}),
        (ExecutionStatus.FAILED, Outcome.TIMEOUT, True, "error", {"execution": "failed", "outcome": "timeout"}),
        (ExecutionStatus.SUCCEEDED, Outcome.SUCCEEDED, False, "info", {"late": True}),
    ],
)
def test_a_line_says_how_it_ended(
    stream: io.StringIO, status: ExecutionStatus, outcome: Outcome, accepted: bool, level: str, told: dict[str, object]
) -> None:
    configure_logging(LogFormat.JSON, stream)
    claim = make_claim(make_job("wsp_1"), attempt_no=2)
    report = retry(claim, NOW, result=make_result(outcome))
    LoggingHooks().attempt_finished(claim, report, verdict_on(claim, status, accepted=accepted))
    (line,) = lines_of(stream)
    assert line.items() >= {"level": level, "attempt": 2, **told}.items()
    assert "lateness_ms" not in line


def test_what_was_taken_back_is_told_of_by_why(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    claim = make_claim(make_job("wsp_1"), attempt_no=2)
    verdicts = [verdict_on(claim, ExecutionStatus.QUEUED), verdict_on(claim, ExecutionStatus.QUEUED, accepted=False)]
    LoggingHooks().executions_lost(verdicts, NOW)
    LoggingHooks().executions_interrupted(verdicts, NOW)
    told = [(line["event"], line["attempt"], line["execution"]) for line in lines_of(stream)]
    assert told == [("execution_lost", 2, "queued"), ("execution_interrupted", 2, "queued")]


def test_what_carries_several_things_is_told_of_once(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    hooks = LoggingHooks(carrier="redis")
    for name in ("queue", "lock", "database"):
        hooks.dependency_changed(name, False)
    for name in ("queue", "lock"):
        hooks.dependency_changed(name, True)
    hooks.dependency_changed("queue", False)
    assert [(line["event"], line["name"]) for line in lines_of(stream)] == [
        ("dependency_away", "redis"),
        ("dependency_away", "database"),
        ("dependency_back", "redis"),
        ("dependency_away", "redis"),
    ]


def test_an_attempt_line_costs_little_more_than_its_json(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    claim = make_claim(make_job("wsp_1"))
    report, verdict = succeeded(claim, NOW), verdict_on(claim, ExecutionStatus.SUCCEEDED)
    hooks = LoggingHooks()
    hooks.attempt_finished(claim, report, verdict)
    (line,) = lines_of(stream)

    def cost(work: Callable[[], object]) -> float:
        return min(timeit.repeat(work, timer=time.process_time, number=200, repeat=25))

    ratio = cost(lambda: hooks.attempt_finished(claim, report, verdict)) / cost(lambda: json.dumps(line, default=str))
    assert ratio < 6  # about 2.5 where nothing else runs


def test_what_is_opened_and_denied_is_logged_at_the_start(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    log_at_start(
        structlog.get_logger("x"),
        ["odd"],
        allowed=AllowedTargets.parse("10.0.0.0/8, [::1]:8080"),
        denied=DeniedTargets.parse("10.0.0.1"),
    )
    attention, opened, denied = lines_of(stream)
    assert (attention["event"], attention["level"], attention["reason"]) == ("attention", "warning", "odd")
    assert (opened["event"], opened["targets"]) == ("targets_opened", "10.0.0.0/8, [::1]/128:8080")
    assert (denied["event"], denied["targets"]) == ("targets_denied", "10.0.0.1/32")


def test_where_nothing_is_opened_nothing_is_said(stream: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, stream)
    log_at_start(structlog.get_logger("x"), [], allowed=AllowedTargets(), denied=DeniedTargets())
    assert stream.getvalue() == ""


class TestLinesTogether:
    def test_outside_an_event_loop_a_line_is_written_at_once(self, stream: io.StringIO) -> None:
        configure_logging(LogFormat.JSON, stream, lines_together=True)
        structlog.get_logger("x").info("happened")
        assert [line["event"] for line in lines_of(stream)] == ["happened"]

    async def test_lines_of_a_turn_are_written_at_its_end(self, stream: io.StringIO) -> None:
        configure_logging(LogFormat.JSON, stream, lines_together=True)
        log = structlog.get_logger("x").bind()
        for event in ("first", "second"):
            log.info(event)
        assert lines_of(stream) == []
        await asyncio.sleep(0)
        log.info("third")
        await asyncio.sleep(0)
        assert [line["event"] for line in lines_of(stream)] == ["first", "second", "third"]

    async def test_a_warning_waits_for_nothing(self, stream: io.StringIO) -> None:
        configure_logging(LogFormat.JSON, stream, lines_together=True)
        log = structlog.get_logger("x").bind()
        log.info("first")
        log.warning("second")
        assert [line["event"] for line in lines_of(stream)] == ["first", "second"]
        log.error("third")
        await asyncio.sleep(0)
        assert [(line["event"], line["level"]) for line in lines_of(stream)][2:] == [("third", "error")]
