"""What the routes work with."""

from __future__ import annotations

from attrs import field, frozen

from cronhook_core.engine.job_service import JobService
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_server.auth import Authenticator
from cronhook_server.bytes_under_way import BytesUnderWay
from cronhook_server.checks import HealthChecks
from cronhook_server.cpu_budgets import CpuBudgets
from cronhook_server.key_service import KeyService
from cronhook_server.metrics_page import MetricsPage
from cronhook_server.request_metrics import RequestMetrics
from cronhook_server.request_rate import RequestRate
from cronhook_server.settings import Settings
from cronhook_server.signing_secrets import SigningSecrets
from cronhook_server.under_way import UnderWay


@frozen(kw_only=True)
class Services:
    """``fingerprint_key`` hashes bodies under an idempotency key: a plain hash would tell what was guessed.

    ``request_rate`` None: keys may be used as often as one likes.
    """

    jobs: JobService
    accounts: AccountStore
    keys: KeyService
    signing_secrets: SigningSecrets
    authenticator: Authenticator
    checks: HealthChecks
    clock: Clock
    settings: Settings
    metrics: MetricsPage
    requests: RequestMetrics
    cpu: CpuBudgets
    request_rate: RequestRate | None
    fingerprint_key: bytes = field(repr=False)
    under_way: UnderWay = field(factory=UnderWay)
    bytes_under_way: BytesUnderWay = field(factory=BytesUnderWay)
