"""Requests of the API as metrics: by method, route template and status, never by path."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""What is said for methods that anybody may make up, and for paths that are no route."""


class RequestMetrics:
    """``answers`` are those to be expected, by method, route and status: they are there from the start, at 0."""

    def __init__(self, registry: CollectorRegistry, answers: Iterable[tuple[str, str, int]] = ()) -> None:
        self._requests = Counter(
            "cronhook_http_requests",
            "Requests answered, by method, route and status.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "cronhook_http_request_duration_seconds",
            "From the first byte of a request's head to the end of its answer.",
            ("route",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._of_answer: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        for method, route, status in answers:
            self._counted(method, route, status)

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """``route`` None: there is no such route. ``status`` 0: the client left, or was cut off, before an answer."""
        counter, histogram = self._counted(
            method if method in METHODS else OTHER, OTHER if route is None else route, status
        )
        counter.inc()
        histogram.observe(seconds)

    def _counted(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """What counts these; looking it up by its labels takes longer than counting."""
        key = (method, route, status)
        counted = self._of_answer.get(key)
        if counted is None:
            counted = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
            self._of_answer[key] = counted
        return counted
