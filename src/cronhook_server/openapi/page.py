"""The document as a page for people: no script, and nothing from elsewhere."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from typing import Any

from cronhook_core.wire.problem import KINDS
from cronhook_server.openapi.document import document

_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}"
    "pre{background:#f4f4f4;padding:.5rem;overflow:auto;font-size:14px}"
)


@cache
def docs_page() -> bytes:
    told = document()
    parts = [_links(told)]
    for tag in told["tags"]:
        parts.append(f'<h2 id="{tag["name"]}">{tag["name"]}</h2><p>{escape(tag["description"])}</p>')
        parts += [
            _route(method, path, operation)
            for path, methods in told["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
    return _page("The HTTP API", "".join(parts))


@cache
def errors_page() -> bytes:
    rows = [
        f'<tr id="{code}"><td><code>{code}</code></td><td>{kind.status}</td><td>{escape(kind.title)}</td></tr>'
        for code, kind in KINDS.items()
    ]
    return _page("Errors", f"<table><tr><th>Code<th>Status<th>Meaning</tr>{''.join(rows)}</table>")


def _links(told: dict[str, Any]) -> str:
    pages = '<a href="/openapi.json">openapi.json</a> · <a href="/docs/errors">Errors</a>'
    tags = "".join(f' · <a href="#{tag["name"]}">{tag["name"]}</a>' for tag in told["tags"])
    return f"<p>{pages}{tags}</p>"


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<h3 id="{operation["operationId"]}"><code>{method.upper()} {escape(path)}</code></h3>'
        f"<p>{escape(operation['summary'])}. {escape(operation.get('description', 'Needs no key.'))}</p>"
        f"{_parameters(operation)}{_body(operation)}{_answer(operation)}<table>{answers}</table>"
    )


def _parameters(operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{parameter['name']}</code></td><td>{parameter['in']}</td>"
        f"<td>{escape(_bounds(parameter['schema']))}</td></tr>"
        for parameter in operation["parameters"]
    )
    return f"<table>{rows}</table>" if rows else ""


def _bounds(schema: dict[str, Any]) -> str:
    told = {key: value for key, value in schema.items() if key not in ("type", "examples", "description")}
    return ", ".join([schema["type"], *(f"{key} {_text(value)}" for key, value in told.items())])


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    examples = [example["value"] for media in content.values() for example in media["examples"].values()]
    return "".join(
        f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>" for value in examples if value
    )


def _answer(operation: dict[str, Any]) -> str:
    """The example of the answer when all goes well."""
    contents = [answer.get("content", {}) for status, answer in operation["responses"].items() if status < "300"]
    examples = [media["example"] for content in contents for media in content.values()]
    shown = (escape(value) if isinstance(value, str) else _json(value) for value in examples)
    return "".join(f"<details><summary>Answer</summary><pre>{text}</pre></details>" for text in shown)


def _json(value: object) -> str:
    return escape(json.dumps(value, indent=2, ensure_ascii=False))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _page(title: str, content: str) -> bytes:
    head = f'<meta charset="utf-8"><title>cronhook: {title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}<h1>{title}</h1>{content}</html>'.encode()
