"""A real Prometheus of Debian's package."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.debian_packages import Unpacked
from tests.services import ServerProcess

DEPLOYED = Path(__file__).parents[3] / "deploy" / "prometheus"


class PrometheusServer(ServerProcess):
    """Runs with the configuration that is shipped, but that it looks every second, at `targets` by their roles."""

    def __init__(self, debian: Unpacked, targets: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._debian = debian
        shipped = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
        shipped["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        shipped["rule_files"] = [str(DEPLOYED / name) for name in shipped["rule_files"]]
        shipped["scrape_configs"][0]["static_configs"] = [
            {"labels": {"role": role}, "targets": list(addresses)} for role, addresses in targets.items()
        ]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(shipped))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def value(self, query: str) -> float:
        """What a query that answers one number answers; 0 where it answers none."""
        result = self._get("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def values(self, query: str, label: str) -> dict[str, float]:
        """What a query answers, by one of the labels."""
        return {
            row["metric"].get(label, ""): float(row["value"][1]) for row in self._get("query", query=query)["result"]
        }

    def alerts(self) -> dict[str, set[str]]:
        """The roles of the targets of each alert that fires or is about to."""
        found: dict[str, set[str]] = {}
        for alert in self._get("alerts")["alerts"]:
            found.setdefault(alert["labels"]["alertname"], set()).add(alert["labels"].get("role", ""))
        return found

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, what: str, **parameters: str) -> Any:
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=10) as response:
            return json.load(response)["data"]

    def _command(self) -> Sequence[str]:
        libraries = self._debian.environment["LD_LIBRARY_PATH"]
        return [
            *("env", f"LD_LIBRARY_PATH={libraries}"),
            str(self._debian.program("prometheus")),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False
