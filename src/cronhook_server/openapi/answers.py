"""Which answers the document foresees."""

from __future__ import annotations

from collections.abc import Iterator

from cronhook_server.openapi.document import document


def documented_answers() -> Iterator[tuple[str, str, int]]:
    """Every method, route template and status of the document."""
    for route, operations in document()["paths"].items():
        for method, operation in operations.items():
            for status in operation["responses"]:
                yield method.upper(), route, int(status)
