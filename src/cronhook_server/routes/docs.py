"""What the API says of itself. No key is needed."""

from __future__ import annotations

from litestar import get

from cronhook_core.wire.strict_json import render_json
from cronhook_server.answering import JSON, Answer, plain
from cronhook_server.openapi.document import document
from cronhook_server.openapi.page import docs_page, errors_page

_HTML = "text/html; charset=utf-8"


@get("/openapi.json")
async def openapi() -> Answer:
    return plain(render_json(document()), JSON)


@get("/docs")
async def docs() -> Answer:
    return plain(docs_page(), _HTML)


@get("/docs/errors")
async def errors() -> Answer:
    return plain(errors_page(), _HTML)


DOCS_ROUTES = (openapi, docs, errors)
