"""The document as a page for people: no script, and nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from cronhook_core.wire.problem import KINDS
from cronhook_server.openapi.document import document

_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.2rem 1rem .2rem 0}"
)


@cache
def docs_page() -> bytes:
    routes = [
        _route(method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    links = '<p><a href="/openapi.json">openapi.json</a> · <a href="/docs/errors">Errors</a></p>'
    return _page("The HTTP API", links + "".join(routes))


@cache
def errors_page() -> bytes:
    rows = [
        f'<tr id="{code}"><td><code>{code}</code></td><td>{kind.status}</td><td>{escape(kind.title)}</td></tr>'
        for code, kind in KINDS.items()
    ]
    return _page("Errors", f"<table><tr><th>Code<th>Status<th>Meaning</tr>{''.join(rows)}</table>")


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<h2 id="{operation["operationId"]}"><code>{method.upper()} {escape(path)}</code></h2>'
        f"<p>{escape(operation['summary'])}. {escape(operation.get('description', 'Needs no key.'))}</p>"
        f"<table>{answers}</table>"
    )


def _page(title: str, content: str) -> bytes:
    head = f'<meta charset="utf-8"><title>cronhook: {title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}<h1>{title}</h1>{content}</html>'.encode()
