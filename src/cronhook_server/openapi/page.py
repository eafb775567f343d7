"""The document as pages for people: no script, and nothing from elsewhere."""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from typing import Any

from cronhook_core.wire.problem import KINDS
from cronhook_server.openapi.document import document
from cronhook_server.openapi.fields import Field, fields_of, told
from cronhook_server.openapi.style import STYLE

CALLBACK_URL = "your callback URL"


@cache
def docs_page() -> bytes:
    written = document()
    sections = []
    for tag in written["tags"]:
        operations = [found for found in _operations(written) if tag["name"] in found[2]["tags"]]
        routes = "".join(_route(*found, written) for found in operations)
        described = f"<p>{escape(tag['description'])}</p>"
        links = "".join(
            f'<li><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a>'
            for _, _, operation in operations
        )
        contents = f'<h2><a href="#{tag["name"]}">{_title(tag)}</a></h2><ul>{links}</ul>'
        sections.append((contents, f'<section id="{tag["name"]}"><h2>{_title(tag)}</h2>{described}{routes}</section>'))
    info = written["info"]
    head = (
        f"<p>{escape(info['summary'])} Version {escape(info['version'])}. This page for programs: "
        '<a href="/openapi.json">openapi.json</a>. What goes wrong: <a href="/docs/errors">errors</a>.</p>'
        "<p>Send <code>x-api-key</code> with everything under <code>/v1</code>, and bodies as "
        "<code>content-type: application/json</code>. Fields that are not listed are refused.</p>"
    )
    nav, content = ("".join(parts) for parts in zip(*sections, strict=True))
    return _page("The HTTP API", f"{head}{content}", nav)


@cache
def errors_page() -> bytes:
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code><td>{kind.status}<td>{escape(kind.title)}.</tr>'
        for code, kind in KINDS.items()
    )
    head = (
        "<p>Every error is <code>application/problem+json</code> (RFC 9457). Programs look at <code>code</code>; "
        'the log of the server knows the <code>request_id</code>. <a href="/docs">The HTTP API</a></p>'
    )
    table = f"<table><thead><tr><th>code<th>status<th>meaning</tr></thead>{rows}</table>"
    return _page("Errors", head + table)


def _operations(written: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each."""
    called = [(CALLBACK_URL, methods) for methods in written["webhooks"].values()]
    return [
        (method, path, operation)
        for path, methods in (*written["paths"].items(), *called)
        for method, operation in methods.items()
    ]


def _title(tag: dict[str, Any]) -> str:
    return str(tag["name"]).capitalize()


def _route(method: str, path: str, operation: dict[str, Any], written: dict[str, Any]) -> str:
    return (
        f'<article id="{operation["operationId"]}"><h3><b class="{method}">{method.upper()}</b> '
        f"<code>{escape(path)}</code></h3><p>{escape(operation['summary'])}. "
        f"{_marked(operation.get('description', 'Needs no key.'))}</p>"
        f"{_parameters(operation)}{_body(operation, written)}{_answers(operation)}</article>"
    )


def _parameters(operation: dict[str, Any]) -> str:
    fields = [
        Field(
            name=parameter["name"],
            place=parameter["in"],
            required=parameter["required"],
            rules=told(parameter["schema"]),
            description=parameter.get("description", parameter["schema"].get("description", "")),
        )
        for parameter in operation["parameters"]
    ]
    return _table("Parameters", fields)


def _body(operation: dict[str, Any], written: dict[str, Any]) -> str:
    body = operation.get("requestBody")
    if body is None:
        return ""
    (media,) = body["content"].values()
    fields = fields_of(media["schema"], written["components"]["schemas"])
    if not fields and "description" not in body:
        return "<p>No body, or an empty object.</p>"
    table = _table("Body", fields) or f"<h4>Body</h4><p>{_marked(body['description'])}</p>"
    named = [(name, example["value"]) for name, example in media["examples"].items()]
    examples = "".join(f"<h4>Example: {escape(name)}</h4>{_json(value)}" for name, value in named)
    return f"{table}<details><summary>Examples of bodies</summary>{examples}</details>"


def _table(title: str, fields: list[Field]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field.name)}</code>{'<i>needed</i>' if field.required else ''}"
        f"{f'<i>{field.place}</i>' if field.place else ''}"
        f"<td>{_marked(field.rules)}{'<br>' if field.description else ''}{_marked(field.description)}</tr>"
        for field in fields
    )
    return f"<h4>{title}</h4><table>{rows}</table>" if rows else ""


def _answers(operation: dict[str, Any]) -> str:
    rows, examples = [], []
    for status, answer in operation["responses"].items():
        (media,) = answer.get("content", {"": {}}).values()
        rows.append(f"<tr><td>{status}<td>{_codes(media) or _marked(answer['description'])}</tr>")
        if "example" in media and status < "300":
            examples.append(media["example"])
    shown = "".join(f"<details><summary>Example of an answer</summary>{_json(value)}</details>" for value in examples)
    return f"<h4>Answers</h4><table>{''.join(rows)}</table>{shown}"


def _codes(media: dict[str, Any]) -> str:
    """The codes of a problem, each beside what it means."""
    return "<br>".join(
        f'<a href="/docs/errors#{code}"><code>{code}</code></a> {escape(KINDS[code].title)}'
        for code in media.get("examples", ())
    )


def _marked(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _json(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre>{escape(text)}</pre>"


def _page(title: str, content: str, nav: str = "") -> bytes:
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>cronhook: {title}</title><style>{STYLE}</style>"
    )
    body = f"{f'<nav>{nav}</nav>' if nav else ''}<main><h1>{title}</h1>{content}</main>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'.encode()
