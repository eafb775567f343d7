"""Schemathesis against a running server: every operation of the document, all phases, valid and invalid data.

Requests are counted by the server itself.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.running import Up
from tests.receiver import Receiver

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("st")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
)
SETTINGS = {
    "max_jobs_per_workspace": 10**9,
    "max_idempotency_records_per_workspace": 10**9,
    "auth_failures_per_minute": 10**6,
    "cpu_percent_per_key": 100,
    "requests_per_second_per_key": 0,
    "secret_key": "a secret of at least thirty-two characters",
}
"""Limits that the run would meet before it has seen anything else."""

Answers = Counter[tuple[str, str, int]]


PHASES = "examples,coverage,fuzzing,stateful"


@attrs.frozen
class Ran:
    """One run of schemathesis: its exit code, and all that it said."""

    exit_code: int
    output: str

    @property
    def tested(self) -> int:
        """How many operations."""
        return int(re.findall(r"Tested: +(\d+)", self.output)[-1])


class Fuzzing:
    """Runs against one server, which `answers` asks what it has answered so far: by method, route and status."""

    def __init__(self, up: Up, receiver: Receiver) -> None:
        self._up = up
        self._receiver = receiver
        (key,) = up.get("/v1/keys")["data"]
        self._key_id: str = key["id"]

    def run(self, *, examples: int, seed: int) -> Ran:
        """The document goes as a file: the operation that a URL serves it by would be left out."""
        document = self._up.folder / "openapi.json"
        document.write_text(json.dumps(self.document()))
        options = ["--mode", "all", "--phases", PHASES, "--checks", ",".join(CHECKS), "--no-color"]
        amounts = ["--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"]
        target = [document, "--url", self._up.url, "--header", f"x-api-key: {self._up.key}"]
        ran = subprocess.run(
            [COMMAND, "--config-file", CONFIGURATION, "run", *target, *options, *amounts],
            cwd=self._up.folder,
            env=os.environ | self._environment(),
            capture_output=True,
            text=True,
        )
        return Ran(ran.returncode, ran.stdout + ran.stderr)

    def answers(self) -> Answers:
        text = httpx.get(f"{self._up.url}/metrics", timeout=30).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        return Counter(
            {
                (sample.labels["method"], sample.labels["route"], int(sample.labels["status"])): int(sample.value)
                for sample in families["cronhook_http_requests"].samples
                if sample.name == "cronhook_http_requests_total"
            }
        )

    def never(self, statuses: range) -> list[str]:
        """The operations of the document that were never answered with one of these."""
        answers = self.answers()
        return [
            f"{method} {path}"
            for method, path in self.operations()
            if not any(answers[method, path, status] for status in statuses)
        ]

    def operations(self) -> list[tuple[str, str]]:
        """The method and the path of each operation of the document."""
        return [(method.upper(), path) for path, methods in self.document()["paths"].items() for method in methods]

    def document(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(httpx.get(f"{self._up.url}/openapi.json").content)
        return told

    def _environment(self) -> dict[str, str]:
        return {
            "CRONHOOK_TEST_RECEIVER": self._receiver.url(""),
            "CRONHOOK_TEST_KEY_ID": self._key_id,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "SCHEMATHESIS_HOOKS": "tests.openapi.formats",
        }
