"""Puts the parts of the server together, on backends that are open."""

from __future__ import annotations

from importlib.metadata import version
from random import Random

from prometheus_client import CollectorRegistry

from cronhook_core.domain.key_derivation import derive_key
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.job_service import JobService
from cronhook_core.engine.leadership import LeaseTimes
from cronhook_core.engine.scheduler import Scheduler, SchedulerOptions
from cronhook_core.engine.worker import Worker, WorkerOptions
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.webhook_sender import WebhookSender
from cronhook_server.auth import Authenticator
from cronhook_server.checks import HealthChecks
from cronhook_server.composition import Backends, header_vault
from cronhook_server.cpu_budgets import CpuBudgets
from cronhook_server.guessing import FailureLimit
from cronhook_server.key_service import KeyService
from cronhook_server.known_keys import KnownKeys
from cronhook_server.metrics_page import BackendGauges, MetricsPage
from cronhook_server.openapi.answers import documented_answers
from cronhook_server.prompt_queue import PromptQueue
from cronhook_server.request_metrics import RequestMetrics
from cronhook_server.request_rate import RequestRate
from cronhook_server.secret_key import pepper_of
from cronhook_server.services import Services
from cronhook_server.settings import Settings
from cronhook_server.signing import DerivedSigningKeys
from cronhook_server.signing_secrets import SigningSecrets


class Assembly:
    """Makes services and daemons that share backends, settings and a view of what is available.

    ``random`` must be one whose numbers nobody can guess.
    """

    def __init__(
        self, backends: Backends, settings: Settings, *, secret_key: str, hooks: EngineHooks, random: Random
    ) -> None:
        self._backends = backends
        self._settings = settings
        self._secret_key = secret_key
        self._hooks = hooks
        self._random = random
        self._dependencies = Dependencies(hooks, random)
        self._pepper = pepper_of(secret_key)
        self._vault = header_vault(secret_key)
        self._known_keys = KnownKeys(backends.accounts, backends.clock)

    def keys(self) -> KeyService:
        return KeyService(
            self._backends.accounts,
            self._known_keys,
            pepper=self._pepper,
            clock=self._backends.clock,
            random=self._random,
        )

    def jobs(self) -> JobService:
        return JobService(
            self._backends.store,
            PromptQueue(self._backends.queue),
            clock=self._backends.clock,
            random=self._random,
            targets=TargetPolicy(allowed=self._settings.allowed_targets, denied=self._settings.denied_targets),
            max_jobs=self._settings.max_jobs_per_workspace,
            bounds=self._settings.queue_bounds,
            max_stored_bytes=self._settings.max_stored_bytes_per_workspace,
            vault=self._vault,
            hooks=self._hooks,
        )

    def services(self, metrics: MetricsPage | None = None) -> Services:
        """``metrics`` shows what else this process counts, to which requests are added; None: nothing else."""
        metrics = metrics or self.metrics(CollectorRegistry())
        accounts, clock = self._backends.accounts, self._backends.clock
        failures = FailureLimit(self._backends.rate_limiter, per_minute=self._settings.auth_failures_per_minute)
        return Services(
            jobs=self.jobs(),
            accounts=accounts,
            keys=self.keys(),
            signing_secrets=SigningSecrets(accounts, secret_key=self._secret_key, clock=clock),
            authenticator=Authenticator(
                accounts, self._known_keys, pepper=self._pepper, clock=clock, failures=failures
            ),
            checks=HealthChecks(self._backends.probes, self._backends.clock),
            clock=clock,
            settings=self._settings,
            metrics=metrics,
            requests=RequestMetrics(metrics.registry, documented_answers()),
            cpu=CpuBudgets(share=self._settings.cpu_percent_per_key / 100),
            request_rate=self._request_rate(),
            fingerprint_key=derive_key(self._secret_key, "idempotency-fingerprint"),
        )

    def _request_rate(self) -> RequestRate | None:
        per_second, burst = self._settings.requests_per_second_per_key, self._settings.request_burst_per_key
        if per_second == 0:
            return None
        return RequestRate(self._backends.rate_limiter, self._backends.clock, per_second=per_second, burst=burst)

    def metrics(self, registry: CollectorRegistry) -> MetricsPage:
        """What shows ``registry`` and what the backends can be asked; once for each registry."""
        gauges = BackendGauges(
            registry,
            store=self._backends.store,
            queue=self._backends.queue,
            clock=self._backends.clock,
            checks={probe.name: probe.check for probe in self._backends.probes if not probe.for_readiness},
            clock_jump=self._backends.clock_jump,
        )
        return MetricsPage(registry, gauges)

    def scheduler(self) -> Scheduler:
        return Scheduler(
            self._backends.store,
            self._backends.queue,
            self._backends.lock,
            clock=self._backends.clock,
            hooks=self._hooks,
            dependencies=self._dependencies,
            options=SchedulerOptions(
                lease=LeaseTimes(ttl=self._settings.leader_ttl, renewals=self._backends.renewals),
                retention=self._settings.log_retention,
            ),
            clock_jumps=lambda: self._backends.doubts_clock,
        )

    def delivery(self, sender: WebhookSender) -> Delivery:
        clock = self._backends.clock
        return Delivery(
            sender,
            keys=DerivedSigningKeys(self._backends.accounts, secret_key=self._secret_key, clock=clock),
            clock=clock,
            random=self._random,
            user_agent=f"cronhook/{version('cronhook')}",
            vault=self._vault,
        )

    def worker(self, sender: WebhookSender) -> Worker:
        return Worker(
            self._backends.store,
            self._backends.queue,
            self.delivery(sender),
            clock=self._backends.clock,
            hooks=self._hooks,
            random=self._random,
            dependencies=self._dependencies,
            options=WorkerOptions(
                concurrency=self._settings.worker_concurrency, drain_timeout=self._settings.drain_timeout
            ),
        )
