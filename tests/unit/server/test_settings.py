from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.errors import ConfigurationError
from cronhook_server.setting_values import masked_url
from cronhook_server.settings import RULES, DatabasePooler, LogFormat, MetricsPlace, Settings, Switch

SECRET = "a secret of at least thirty-two characters"


def test_everything_has_a_default() -> None:
    assert Settings.read({}) == Settings()
    assert {row.source for row in Settings.read({}).shown()} == {"default"}


def test_an_empty_value_is_unset() -> None:
    assert Settings.read({rule.variable: "" for rule in RULES}) == Settings()
    assert Settings.read({"CRONHOOK_SECRET_KEY_FILE": ""}) == Settings()


def test_reads_every_variable() -> None:
    settings = Settings.read(
        {
            "CRONHOOK_DATABASE_URL": "postgresql://me@db/jobs?sslmode=require",
            "CRONHOOK_DATABASE_POOLER": "transaction",
            "CRONHOOK_REDIS_URL": "rediss://cache:6380/1",
            "CRONHOOK_REDIS_PREFIX": "staging",
            "CRONHOOK_HOST": "::1",
            "CRONHOOK_PORT": "0",
            "CRONHOOK_SECRET_KEY": SECRET,
            "CRONHOOK_MAX_JOBS_PER_WORKSPACE": "1000",
            "CRONHOOK_MAX_QUEUED_PER_WORKSPACE": "500",
            "CRONHOOK_MAX_QUEUED_PER_JOB": "50",
            "CRONHOOK_MAX_STORED_BYTES_PER_WORKSPACE": "5000000000",
            "CRONHOOK_REQUESTS_PER_SECOND_PER_KEY": "0",
            "CRONHOOK_REQUEST_BURST_PER_KEY": "1000",
            "CRONHOOK_MAX_IDEMPOTENCY_RECORDS_PER_WORKSPACE": "70000",
            "CRONHOOK_WORKER_CONCURRENCY": "50",
            "CRONHOOK_REQUEST_TIMEOUT_SECONDS": "2.5",
            "CRONHOOK_LEADER_TTL_SECONDS": "3",
            "CRONHOOK_DRAIN_TIMEOUT_SECONDS": "0",
            "CRONHOOK_LOG_RETENTION_DAYS": "7",
            "CRONHOOK_ALLOWED_TARGETS": "10.0.0.0/8, 127.0.0.1/32:9000",
            "CRONHOOK_DENIED_TARGETS": "10.0.0.1, [fd00::1]:80",
            "CRONHOOK_TRUSTED_PROXIES": "10.1.0.0/16, ::1",
            "CRONHOOK_AUTH_FAILURES_PER_MINUTE": "20",
            "CRONHOOK_CPU_PERCENT_PER_KEY": "40",
            "CRONHOOK_LOG_FORMAT": "console",
            "CRONHOOK_METRICS": "port",
            "CRONHOOK_METRICS_PORT": "9100",
            "CRONHOOK_DOCS": "off",
        }
    )
    assert settings.database_url == "postgresql://me@db/jobs?sslmode=require"
    assert (settings.redis_url, settings.redis_prefix) == ("rediss://cache:6380/1", "staging")
    assert (settings.host, settings.port, settings.secret_key) == ("::1", 0, SECRET)
    assert (settings.max_jobs_per_workspace, settings.worker_concurrency) == (1000, 50)
    assert settings.queue_bounds == QueueBounds(per_job=50, per_workspace=500)
    assert settings.request_timeout == timedelta(seconds=2.5)
    assert (settings.leader_ttl, settings.drain_timeout) == (timedelta(seconds=3), timedelta(0))
    assert settings.log_retention == timedelta(days=7)
    assert str(settings.allowed_targets) == "10.0.0.0/8, 127.0.0.1/32:9000"
    assert str(settings.denied_targets) == "10.0.0.1/32, [fd00::1]/128:80"
    assert settings.trusted_proxies == (ip_network("10.1.0.0/16"), ip_network("::1"))
    assert settings.database_pooler is DatabasePooler.TRANSACTION
    assert (settings.auth_failures_per_minute, settings.metrics_port) == (20, 9100)
    assert settings.cpu_percent_per_key == 40
    assert settings.log_format is LogFormat.CONSOLE
    assert (settings.metrics, settings.docs) == (MetricsPlace.PORT, Switch.OFF)
    assert {row.source for row in settings.shown()} == {"environment"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CRONHOOK_DATABASE_URL", "mysql://db/jobs"),
        ("CRONHOOK_DATABASE_URL", "cronhook.db"),
        ("CRONHOOK_DATABASE_URL", "postgresql://[::1/db"),
        ("CRONHOOK_DATABASE_URL", "postgresql:/me@db/jobs"),
        ("CRONHOOK_DATABASE_URL", "sqlite:cronhook.db"),
        ("CRONHOOK_DATABASE_URL", "postgresql://u:p@S3cret/x@db/jobs"),
        ("CRONHOOK_DATABASE_URL", "postgresql://u:p/S3cret@db/jobs"),
        ("CRONHOOK_DATABASE_URL", "postgresql://db/jobs\udce9"),
        ("CRONHOOK_SECRET_KEY", "\udce9" * 32),
        ("CRONHOOK_REDIS_URL", "redis:/:secret@cache:6379/0"),
        ("CRONHOOK_REDIS_URL", "http://cache"),
        ("CRONHOOK_REDIS_PREFIX", "two words"),
        ("CRONHOOK_REDIS_PREFIX", "x" * 65),
        ("CRONHOOK_PORT", "65536"),
        ("CRONHOOK_PORT", "-1"),
        ("CRONHOOK_PORT", "8080x"),
        ("CRONHOOK_PORT", "٨"),
        ("CRONHOOK_PORT", "9" * 5000),
        ("CRONHOOK_SECRET_KEY", "too short"),
        ("CRONHOOK_MAX_JOBS_PER_WORKSPACE", "0"),
        ("CRONHOOK_MAX_QUEUED_PER_WORKSPACE", "0"),
        ("CRONHOOK_MAX_QUEUED_PER_JOB", "1000001"),
        ("CRONHOOK_MAX_STORED_BYTES_PER_WORKSPACE", "1 GiB"),
        ("CRONHOOK_REQUESTS_PER_SECOND_PER_KEY", "-1"),
        ("CRONHOOK_REQUEST_BURST_PER_KEY", "0"),
        ("CRONHOOK_MAX_IDEMPOTENCY_RECORDS_PER_WORKSPACE", "0"),
        ("CRONHOOK_WORKER_CONCURRENCY", "0"),
        ("CRONHOOK_REQUEST_TIMEOUT_SECONDS", "61"),
        ("CRONHOOK_REQUEST_TIMEOUT_SECONDS", "10s"),
        ("CRONHOOK_REQUEST_TIMEOUT_SECONDS", "nan"),
        ("CRONHOOK_REQUEST_TIMEOUT_SECONDS", "1e1"),
        ("CRONHOOK_LEADER_TTL_SECONDS", "0.1"),
        ("CRONHOOK_LOG_RETENTION_DAYS", "0"),
        ("CRONHOOK_ALLOWED_TARGETS", "localhost"),
        ("CRONHOOK_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("CRONHOOK_TRUSTED_PROXIES", "proxy"),
        ("CRONHOOK_LOG_FORMAT", "xml"),
        ("CRONHOOK_METRICS_PORT", "8080"),
    ],
)
def test_a_wrong_value_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        Settings.read({variable: value})
    assert wrong.value.variable == variable
    assert "\n" not in str(wrong.value)
    assert len(str(wrong.value)) < 300


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////home/me@work/cronhook.db",
        "postgresql://u:p%40ss@db/jobs",
        "postgresql://db/jobs?user=me@server",
        "postgresql://u:p#ss@db/jobs",
        "postgresql://u:p?ss@db/jobs",
        "postgresql://?host=/run/postgresql&user=me@server",
    ],
)
def test_an_at_sign_may_be_where_it_means_nothing(url: str) -> None:
    assert Settings.read({"CRONHOOK_DATABASE_URL": url}).database_url == url


def test_a_port_set_by_kubernetes_is_explained() -> None:
    with pytest.raises(ConfigurationError, match="enableServiceLinks"):
        Settings.read({"CRONHOOK_PORT": "tcp://10.0.0.1:8080"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CRONHOOK_DATABASE_URL", "mysql://me:hunter2@db/jobs"),
        ("CRONHOOK_REDIS_URL", "http://:hunter2@cache"),
        ("CRONHOOK_SECRET_KEY", "hunter2"),
    ],
)
def test_no_message_tells_a_secret(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        Settings.read({variable: value})
    assert "hunter2" not in str(wrong.value)


class TestSecretsFromFiles:
    def test_the_file_is_read_without_its_line_end(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text(f"{SECRET}\n")
        settings = Settings.read({"CRONHOOK_SECRET_KEY_FILE": str(path)})
        assert settings.secret_key == SECRET
        assert settings.sources == {"CRONHOOK_SECRET_KEY": "file"}

    def test_a_value_and_a_file_contradict_each_other(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="keep one of the two"):
            Settings.read({"CRONHOOK_SECRET_KEY": SECRET, "CRONHOOK_SECRET_KEY_FILE": str(tmp_path / "secret")})

    @pytest.mark.parametrize("content", ["", " \n"])
    def test_an_empty_file_is_no_default(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "secret"
        path.write_text(content)
        with pytest.raises(ConfigurationError, match="is empty") as wrong:
            Settings.read({"CRONHOOK_DATABASE_URL_FILE": str(path)})
        assert wrong.value.variable == "CRONHOOK_DATABASE_URL_FILE"

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="No such file") as wrong:
            Settings.read({"CRONHOOK_DATABASE_URL_FILE": str(tmp_path / "missing")})
        assert wrong.value.variable == "CRONHOOK_DATABASE_URL_FILE"

    def test_only_secrets_come_from_files(self, tmp_path: Path) -> None:
        path = tmp_path / "port"
        path.write_text("9000")
        assert Settings.read({"CRONHOOK_PORT_FILE": str(path)}).port == 8080


def test_variables_that_look_mistyped_are_told() -> None:
    settings = Settings.read(
        {"CRONHOOK_DATABSE_URL": "x", "CRONHOOK_SECRETKEY": "y", "CRONHOOK_API_KEY": "z", "CRONHOOK_RELEASE": "7"}
    )
    assert settings.mistyped == {
        "CRONHOOK_DATABSE_URL": "CRONHOOK_DATABASE_URL",
        "CRONHOOK_SECRETKEY": "CRONHOOK_SECRET_KEY",
    }
    assert settings.warnings[0] == "nobody reads CRONHOOK_DATABSE_URL: did you mean CRONHOOK_DATABASE_URL?"


def test_secrets_are_shown_masked() -> None:
    settings = Settings.read(
        {
            "CRONHOOK_DATABASE_URL": "postgresql://me:hunter2@db/jobs?password=hunter2&sslmode=require",
            "CRONHOOK_REDIS_URL": "redis://:hunter2@cache:6379/0",
            "CRONHOOK_SECRET_KEY": f"hunter2{SECRET}",
        }
    )
    shown = {row.variable: row.value for row in settings.shown()}
    assert shown["CRONHOOK_DATABASE_URL"] == "postgresql://me:***@db/jobs?password=***&sslmode=require"
    assert shown["CRONHOOK_REDIS_URL"] == "redis://:***@cache:6379/0"
    assert "hunter2" not in repr(settings) + str(shown)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("sqlite:///cronhook.db", "sqlite:///cronhook.db"),
        ("sqlite:////var/lib/cronhook.db", "sqlite:////var/lib/cronhook.db"),
        ("postgresql://a:5432,b:5433/jobs", "postgresql://a:5432,b:5433/jobs"),
        ("postgresql://me:pa%40ss@[::1]:5432/jobs", "postgresql://me:***@[::1]:5432/jobs"),
        ("unix:///run/redis.sock?db=1&password=x", "unix:///run/redis.sock?db=1&password=***"),
        ("postgresql://me:pa/ss@db/jobs", "***"),
        ("postgresql:/me:secret@db/jobs", "***"),
        ("rediss://cache/0?ssl_password=secret&db=1", "rediss://cache/0?ssl_password=***&db=1"),
    ],
)
def test_masks_urls(url: str, masked: str) -> None:
    assert masked_url(url) == masked
