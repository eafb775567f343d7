"""Every place where the engine waits, read from its source: there a process can die, or an answer be lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs

import cronhook_core.engine

ENGINE = Path(cronhook_core.engine.__path__[0])
HOLDERS = {"_store": "store", "_registry": "store", "_queue": "queue", "_lock": "lock", "_sender": "sender"}
"""The attributes that hold a port in the engine, and the first word of that port's failpoints."""
HANDED_IN = {
    "self._clock.sleep",
    "self._empty.wait",
    "self._run_once",
    "self._wait",
    "self.claiming",
    "self._intake.claiming",
}
"""What is called under another name than it has, or is not a coroutine of the engine, and leaves no process."""
BEHIND_ANOTHER_PORT = {"self._keys.secrets": "accounts.signing_versions"}
"""Ports that the server implements over a port with failpoints."""


@attrs.frozen(order=True)
class Site:
    """A place where `where` (module and function) waits for `what`.

    `what` is the beginning of two failpoints, as in ``store.plan``, or, where the await stays within the process, the
    source of the expression.
    """

    where: str
    what: str
    leaves_the_process: bool


def engine_sites() -> list[Site]:
    return sorted({site for path in ENGINE.glob("*.py") for site in _sites(path)})


def sites_of(*modules: str) -> list[Site]:
    """Those of some of the engine's modules that leave the process."""
    return [site for site in engine_sites() if site.leaves_the_process and site.where.partition(".")[0] in modules]


def _sites(path: Path) -> Iterator[Site]:
    for where, node in _nodes(ast.parse(path.read_text()), path.stem):
        if isinstance(node, ast.Attribute) and (point := _point(node)):
            yield Site(where, point, leaves_the_process=True)
        elif isinstance(node, ast.Await) and not _asks_a_port(node.value):
            yield Site(where, ast.unparse(node.value), leaves_the_process=False)
        elif isinstance(node, ast.AsyncWith):
            for item in node.items:
                yield Site(where, ast.unparse(item.context_expr), leaves_the_process=False)
        elif isinstance(node, ast.AsyncFor | ast.comprehension) and getattr(node, "is_async", True):
            yield Site(where, ast.unparse(node.iter), leaves_the_process=False)


def _nodes(tree: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(tree):
        named = isinstance(child, ast.ClassDef | ast.AsyncFunctionDef | ast.FunctionDef)
        inside = f"{where}.{child.name}" if named else where  # type: ignore[attr-defined]
        yield inside, child
        yield from _nodes(child, inside)


def _point(attribute: ast.Attribute) -> str | None:
    """``store.plan`` for ``self._store.plan``, whether it is called there or handed on; ``sender.send`` likewise."""
    if attribute.attr == "_sender" and isinstance(attribute.ctx, ast.Load):
        return "sender.send"
    held = attribute.value
    if isinstance(held, ast.Attribute) and held.attr in HOLDERS:
        return f"{HOLDERS[held.attr]}.{attribute.attr}"
    return None


def _asks_a_port(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    called = value.func
    return isinstance(called, ast.Attribute) and (called.attr == "_sender" or _point(called) is not None)


def unexplained(site: Site) -> bool:
    """Whether nobody knows where this await goes: neither a port, nor the engine itself, nor the event loop."""
    if site.leaves_the_process or site.what in {f"{held}(claim.workspace_id)" for held in BEHIND_ANOTHER_PORT}:
        return False
    return not all(_stays(called) for called in _called(ast.parse(site.what, mode="eval").body))


def _called(expression: ast.expr) -> list[ast.expr]:
    if isinstance(expression, ast.IfExp):
        return [*_called(expression.body), *_called(expression.orelse)]
    return [expression.func if isinstance(expression, ast.Call) else expression]


def _stays(called: ast.expr) -> bool:
    source = ast.unparse(called)
    if source.startswith("asyncio.") or source in HANDED_IN:
        return True
    *holder, name = source.split(".")
    return name in _engine_coroutines() and (holder in ([], ["self"]) or holder in [["self", p] for p in _parts()])


@cache
def _engine_trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in ENGINE.glob("*.py")]


@cache
def _engine_coroutines() -> set[str]:
    return {node.name for tree in _engine_trees() for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}


@cache
def _parts() -> set[str]:
    """The attributes in which parts of the engine hold each other, by what their constructors say."""
    classes = [node for tree in _engine_trees() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    held = [of_one for node in classes for of_one in _held(node)]
    ours = {node.name for node in classes}
    return {name for name, kind in held if kind in ours} - {name for name, kind in held if kind not in ours}


def _held(of: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Attributes set in the constructor, and what makes them, or the type of the argument that they are."""
    for made in (node for node in of.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"):
        arguments = (*made.args.args, *made.args.kwonlyargs)
        types = {one.arg: ast.unparse(one.annotation) for one in arguments if one.annotation is not None}
        for node in ast.walk(made):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
                value = node.value.func if isinstance(node.value, ast.Call) else node.value
                yield node.targets[0].attr, types.get(ast.unparse(value), ast.unparse(value))
