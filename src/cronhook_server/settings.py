"""The settings of the server: read once from the environment, checked against each other, shown by a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from attrs import field, frozen

from cronhook_core.domain.addresses import AllowedTargets, DeniedTargets, IPNetwork
from cronhook_core.domain.job import MAX_TIMEOUT, MIN_TIMEOUT
from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.errors import ConfigurationError
from cronhook_core.wire.account import Limits
from cronhook_server.setting_values import (
    MASK,
    database_url,
    days,
    is_unicode,
    masked_url,
    networks,
    one_of,
    prefix,
    redis_url,
    seconds,
    secret_text,
    targets,
    text,
    whole_number,
)

PREFIX = "CRONHOOK_"
_OF_CLIENTS = frozenset({"CRONHOOK_API_KEY", "CRONHOOK_BASE_URL"})
DEFAULT_DATABASE_URL = "sqlite:///cronhook.db"
_KUBERNETES = (
    "a port is a number; Kubernetes sets this variable for a service called cronhook: set enableServiceLinks to false"
)


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


class DatabasePooler(StrEnum):
    """What stands between cronhook and Postgres."""

    NONE = "none"
    TRANSACTION = "transaction"


class MetricsPlace(StrEnum):
    """Where a process serves its metrics."""

    API = "api"
    """On the port of the API; schedulers and workers, which have none, on the port of metrics."""
    PORT = "port"
    """On the port of metrics alone, also in a process that serves the API."""
    OFF = "off"


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


@frozen(kw_only=True)
class Settings:
    """Durations are ``timedelta``; the variables have their unit in the name.

    ``secret_key`` None: one is kept in a file beside the SQLite file. ``log_format`` None: console where there is a
    terminal, JSON otherwise. ``port`` and ``metrics_port`` 0: any free port. ``sources`` says where each variable's
    value comes from, for those that are not the default; ``mistyped`` names variables that are none of ours and look
    like one of these.
    """

    database_url: str = field(default=DEFAULT_DATABASE_URL, repr=False)
    database_pooler: DatabasePooler = DatabasePooler.NONE
    redis_url: str | None = field(default=None, repr=False)
    redis_prefix: str = "cronhook"
    host: str = "127.0.0.1"
    port: int = 8080
    secret_key: str | None = field(default=None, repr=False)
    max_jobs_per_workspace: int = 100
    max_queued_per_workspace: int = 100_000
    max_queued_per_job: int = 10_000
    max_stored_bytes_per_workspace: int = 1024**3
    max_idempotency_records_per_workspace: int = 10_000
    worker_concurrency: int = 500
    request_timeout: timedelta = timedelta(seconds=10)
    leader_ttl: timedelta = timedelta(seconds=1.5)
    drain_timeout: timedelta = timedelta(seconds=15)
    log_retention: timedelta = timedelta(days=30)
    allowed_targets: AllowedTargets = field(factory=AllowedTargets)
    denied_targets: DeniedTargets = field(factory=DeniedTargets)
    trusted_proxies: tuple[IPNetwork, ...] = ()
    auth_failures_per_minute: int = 10
    cpu_percent_per_key: int = 25
    requests_per_second_per_key: int = 50
    request_burst_per_key: int = 200
    log_format: LogFormat | None = None
    metrics: MetricsPlace = MetricsPlace.API
    metrics_port: int = 0
    docs: Switch = Switch.ON
    sources: Mapping[str, str] = field(factory=dict, repr=False, eq=False)
    mistyped: Mapping[str, str] = field(factory=dict, repr=False, eq=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """From variables and the files they name; empty ones count as unset. Raises `ConfigurationError`."""
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for rule in RULES:
            written, source = _written(rule, environment)
            if written is not None:
                values[rule.field] = _read(rule, written)
                sources[rule.variable] = source
        settings = cls(**values, sources=sources, mistyped=_mistyped(environment))
        _check_together(settings)
        return settings

    @property
    def queue_bounds(self) -> QueueBounds:
        return QueueBounds(per_job=self.max_queued_per_job, per_workspace=self.max_queued_per_workspace)

    @property
    def limits(self) -> Limits:
        """Of workspaces without their own."""
        return Limits(
            max_jobs=self.max_jobs_per_workspace,
            max_queued_executions=self.max_queued_per_workspace,
            max_queued_executions_per_job=self.max_queued_per_job,
            max_stored_bytes=self.max_stored_bytes_per_workspace,
        )

    @property
    def carrier(self) -> str:
        """What carries the queue and the leader's lease, as the log names it."""
        return "database" if self.redis_url is None else "redis"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know of them, one sentence each."""
        return tuple(f"nobody reads {name}: did you mean {meant}?" for name, meant in self.mistyped.items())

    def shown(self) -> list[ShownSetting]:
        """Every setting, with secrets masked."""
        return [
            ShownSetting(
                variable=rule.variable,
                value="" if (value := getattr(self, rule.field)) is None else rule.show(value),
                source=self.sources.get(rule.variable, "default"),
            )
            for rule in RULES
        ]


@frozen(kw_only=True)
class ShownSetting:
    """``source`` is ``environment``, ``file`` or ``default``."""

    variable: str
    value: str
    source: str


@frozen
class Rule:
    """How the setting ``field`` is read and shown. A secret may also come from the file ``<variable>_FILE`` names."""

    field: str
    variable: str
    read: Callable[[str], Any]
    show: Callable[[Any], str] = str
    secret: bool = False


def _in(unit: timedelta) -> Callable[[timedelta], str]:
    return lambda duration: f"{duration / unit:g}"


_SECONDS = _in(timedelta(seconds=1))
_DAYS = _in(timedelta(days=1))
_TIMEOUTS = (MIN_TIMEOUT.total_seconds(), MAX_TIMEOUT.total_seconds())

RULES = (
    Rule("database_url", "CRONHOOK_DATABASE_URL", database_url, masked_url, secret=True),
    Rule("database_pooler", "CRONHOOK_DATABASE_POOLER", one_of(DatabasePooler)),
    Rule("redis_url", "CRONHOOK_REDIS_URL", redis_url, masked_url, secret=True),
    Rule("redis_prefix", "CRONHOOK_REDIS_PREFIX", prefix),
    Rule("host", "CRONHOOK_HOST", text),
    Rule("port", "CRONHOOK_PORT", whole_number(0, 65535, hints={"://": _KUBERNETES})),
    Rule("secret_key", "CRONHOOK_SECRET_KEY", secret_text, lambda _: MASK, secret=True),
    Rule("max_jobs_per_workspace", "CRONHOOK_MAX_JOBS_PER_WORKSPACE", whole_number(1, 10**9)),
    Rule("max_queued_per_workspace", "CRONHOOK_MAX_QUEUED_PER_WORKSPACE", whole_number(1, 10**6)),
    Rule("max_queued_per_job", "CRONHOOK_MAX_QUEUED_PER_JOB", whole_number(1, 10**6)),
    Rule("max_stored_bytes_per_workspace", "CRONHOOK_MAX_STORED_BYTES_PER_WORKSPACE", whole_number(1, 10**15)),
    Rule(
        "max_idempotency_records_per_workspace",
        "CRONHOOK_MAX_IDEMPOTENCY_RECORDS_PER_WORKSPACE",
        whole_number(1, 10**9),
    ),
    Rule("worker_concurrency", "CRONHOOK_WORKER_CONCURRENCY", whole_number(1, 10_000)),
    Rule("request_timeout", "CRONHOOK_REQUEST_TIMEOUT_SECONDS", seconds(*_TIMEOUTS), _SECONDS),
    Rule("leader_ttl", "CRONHOOK_LEADER_TTL_SECONDS", seconds(0.5, 60), _SECONDS),
    Rule("drain_timeout", "CRONHOOK_DRAIN_TIMEOUT_SECONDS", seconds(0, 3600), _SECONDS),
    Rule("log_retention", "CRONHOOK_LOG_RETENTION_DAYS", days(1, 3650), _DAYS),
    Rule("allowed_targets", "CRONHOOK_ALLOWED_TARGETS", targets),
    Rule("denied_targets", "CRONHOOK_DENIED_TARGETS", targets),
    Rule("trusted_proxies", "CRONHOOK_TRUSTED_PROXIES", networks, lambda found: ", ".join(map(str, found))),
    Rule("auth_failures_per_minute", "CRONHOOK_AUTH_FAILURES_PER_MINUTE", whole_number(1, 10**6)),
    Rule("cpu_percent_per_key", "CRONHOOK_CPU_PERCENT_PER_KEY", whole_number(1, 100)),
    Rule("requests_per_second_per_key", "CRONHOOK_REQUESTS_PER_SECOND_PER_KEY", whole_number(0, 10**6)),
    Rule("request_burst_per_key", "CRONHOOK_REQUEST_BURST_PER_KEY", whole_number(1, 10**6)),
    Rule("log_format", "CRONHOOK_LOG_FORMAT", one_of(LogFormat)),
    Rule("metrics", "CRONHOOK_METRICS", one_of(MetricsPlace)),
    Rule("docs", "CRONHOOK_DOCS", one_of(Switch)),
    Rule("metrics_port", "CRONHOOK_METRICS_PORT", whole_number(0, 65535)),
)


def _mistyped(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that nobody reads, and the setting that each of them resembles."""
    settings = [rule.variable for rule in RULES] + [f"{rule.variable}_FILE" for rule in RULES if rule.secret]
    unknown = [name for name in environment if name.startswith(PREFIX) and name not in {*settings, *_OF_CLIENTS}]
    meant = {name: get_close_matches(name.removeprefix(PREFIX), _without_prefix(settings), 1, 0.8) for name in unknown}
    return {name: PREFIX + found[0] for name, found in sorted(meant.items()) if found}


def _without_prefix(names: list[str]) -> list[str]:
    return [name.removeprefix(PREFIX) for name in names]


def _written(rule: Rule, environment: Mapping[str, str]) -> tuple[str | None, str]:
    value = environment.get(rule.variable) or None
    path = environment.get(f"{rule.variable}_FILE") if rule.secret else None
    if not path:
        return value, "environment"
    if value is not None:
        raise ConfigurationError(rule.variable, f"is set together with {rule.variable}_FILE; keep one of the two")
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{rule.variable}_FILE", f"cannot read {path}: {reason}") from None
    if not content:
        raise ConfigurationError(f"{rule.variable}_FILE", f"{path} is empty")
    return content, "file"


def _read(rule: Rule, written: str) -> Any:
    if not is_unicode(written):
        raise ConfigurationError(rule.variable, "is not UTF-8")
    try:
        return rule.read(written)
    except ValueError as error:
        raise ConfigurationError(rule.variable, str(error)) from None


def _check_together(settings: Settings) -> None:
    if settings.metrics_port and settings.metrics_port == settings.port:
        raise ConfigurationError("CRONHOOK_METRICS_PORT", "is the port of CRONHOOK_PORT; choose another")
