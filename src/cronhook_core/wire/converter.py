"""Between JSON values and the wire's models, in both directions, for server and client."""

from __future__ import annotations

import copyreg
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from cronhook_core.errors import InvalidRequest
from cronhook_core.wire.instant import read_instant, read_requested_instant, write_instant
from cronhook_core.wire.not_included import NOT_INCLUDED
from cronhook_core.wire.pointer import pointer_to
from cronhook_core.wire.problem import MAX_ERRORS
from cronhook_core.wire.refusal import refusal
from cronhook_core.wire.strict_json import JsonText

MAX_ITEMS = 1000
"""Items of an array or object within a request; what each field may have is less."""

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)
S = TypeVar("S", bound=Sized)
_Path = tuple[str | int, ...]


def read_request(value: Any, model: type[T]) -> T:
    """The model that a request's JSON value says.

    Strict: unknown fields, and values of another JSON type, are refused. Raises `InvalidRequest`, or the one of its
    kinds that fits the only field concerned, with a (pointer, reason) pair for every problem, up to ``MAX_ERRORS``.
    """
    return _read(_STRICT, value, model)


def read_response(value: Any, model: type[T]) -> T:
    """The model that a response's JSON value says.

    A server may be newer than its client: fields that this version does not know are passed over, and a word that it
    does not know becomes a value of its enumeration all the same, beside the members (see `new_word`).
    """
    return _read(_TOLERANT, value, model)


def new_word(text: str, words: type[W]) -> W:
    """A value of the enumeration that is none of its members: it equals its text, and no member.

    It can be pickled; an enumeration by itself would make it of a member again, and find none.
    """
    copyreg.pickle(words, _pickled)
    word = str.__new__(words, text)
    word._name_ = text.upper()
    word._value_ = text
    return word


def known_or_new_word(text: str, words: type[W]) -> W:
    return words(text) if text in words._value2member_map_ else new_word(text, words)


def _pickled(word: W) -> tuple[Callable[[str, type[W]], W], tuple[str, type[W]]]:
    return known_or_new_word, (word.value, type(word))


def to_json(value: Any) -> Any:
    """The JSON value of a model, ready for `render_json`."""
    return _STRICT.unstructure(value)


def _read(converter: Converter, value: Any, model: type[T]) -> T:
    try:
        return converter.structure(value, model)
    except (BaseValidationError, ValueError) as error:
        problems = tuple(islice(_problems(error, ()), MAX_ERRORS))
    raise refusal(problems)


def _converter(*, forbid_unknown: bool) -> Converter:
    converter = Converter(forbid_extra_keys=forbid_unknown)
    bound = MAX_ITEMS if forbid_unknown else None

    def structure_model(model: type[T]) -> Any:
        structure = make_dict_structure_fn(model, converter, _cattrs_forbid_extra_keys=forbid_unknown)

        def from_object(value: Any, _: Any) -> T:
            return structure(_expect(value, dict, "an object"), model)

        return from_object

    def unstructure_model(model: type[Any]) -> Any:
        unstructure = make_dict_unstructure_fn(model, converter)
        if not any(field.default is NOT_INCLUDED for field in attrs.fields(model)):
            return unstructure
        return lambda value: {name: f for name, f in unstructure(value).items() if f is not NOT_INCLUDED}

    def structure_list(model: Any) -> Any:
        item_type = get_args(model)[0]
        structure = converter.get_structure_hook(item_type)

        def from_array(value: Any, _: Any) -> tuple[Any, ...]:
            items = _bounded(_expect(value, list, "an array"), bound)
            return tuple(_each(enumerate(items), lambda item: structure(item, item_type)).values())

        return from_array

    def structure_mapping(model: Any) -> Any:
        value_type = get_args(model)[1]
        structure = converter.get_structure_hook(value_type)

        def from_object(value: Any, _: Any) -> dict[str, Any]:
            items = _bounded(_expect(value, dict, "an object"), bound)
            return _each(items.items(), lambda item: structure(item, value_type))

        return from_object

    converter.register_structure_hook_factory(attrs.has, structure_model)
    converter.register_structure_hook_factory(_made_from(tuple), structure_list)
    converter.register_structure_hook_factory(_made_from(Mapping), structure_mapping)
    converter.register_structure_hook(str, lambda value, _: _expect(value, str, "text"))
    converter.register_structure_hook(StrEnum, _word if forbid_unknown else _known_or_new_word)
    converter.register_structure_hook(bool, lambda value, _: _expect(value, bool, "true or false"))
    converter.register_structure_hook(int, lambda value, _: _integer(value))
    converter.register_structure_hook(float, lambda value, _: _number(value))
    to_instant = read_requested_instant if forbid_unknown else read_instant
    converter.register_structure_hook(datetime, lambda value, _: to_instant(_expect(value, str, "text")))
    converter.register_unstructure_hook(datetime, write_instant)
    converter.register_unstructure_hook(JsonText, json.loads)
    converter.register_unstructure_hook(StrEnum, lambda word: word.value)
    converter.register_unstructure_hook_factory(attrs.has, unstructure_model)
    converter.register_unstructure_hook(type(NOT_INCLUDED), lambda absent: absent)
    converter.register_unstructure_hook(tuple, lambda items: [converter.unstructure(item) for item in items])
    return converter


def _made_from(origin: Any) -> Callable[[Any], bool]:
    return lambda t: get_origin(t) is origin


class _Mistakes(ValueError):
    """What is wrong with single items of an array or object."""

    def __init__(self, errors: list[tuple[str | int, Exception]]) -> None:
        super().__init__("some items are wrong")
        self.errors = errors


def _each(items: Iterable[tuple[Any, Any]], structure: Callable[[Any], Any]) -> dict[Any, Any]:
    done: dict[Any, Any] = {}
    errors: list[tuple[str | int, Exception]] = []
    for key, item in items:
        try:
            done[key] = structure(item)
        except (BaseValidationError, ValueError, InvalidRequest) as error:
            errors.append((key, error))
            if len(errors) == MAX_ERRORS:
                break
    if errors:
        raise _Mistakes(errors)
    return done


def _expect(value: Any, kind: type[T], name: str) -> T:
    if type(value) is not kind:
        raise ValueError(f"must be {name}, not {_name(value)}")
    return value


def _bounded(items: S, bound: int | None) -> S:
    """Before any item is looked at: a body has room for some hundred thousand."""
    if bound is not None and len(items) > bound:
        raise ValueError(f"has {len(items)} items; nothing here has more than {bound}")
    return items


def _integer(value: Any) -> int:
    """Also one written as ``10.0``: JSON has one kind of numbers."""
    return _expect(int(value) if type(value) is float and value.is_integer() else value, int, "an integer")


def _number(value: Any) -> float:
    if type(value) is not int and type(value) is not float:
        raise ValueError(f"must be a number, not {_name(value)}")
    return value


def _word(value: Any, words: type[StrEnum]) -> StrEnum:
    text = _expect(value, str, "text")
    try:
        return words(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(word.value for word in words)}") from None


def _known_or_new_word(value: Any, words: type[W]) -> W:
    return known_or_new_word(_expect(value, str, "text"), words)


def _name(value: Any) -> str:
    names = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "text"}
    return names.get(type(value), "an array" if isinstance(value, list) else "an object")


def _problems(error: BaseException, path: _Path) -> Iterator[tuple[str, str]]:
    if isinstance(error, BaseValidationError):
        for cause in error.exceptions:
            yield from _problems(cause, (*path, *_step(cause)))
    elif isinstance(error, _Mistakes):
        for key, cause in error.errors:
            yield from _problems(cause, (*path, key))
    elif isinstance(error, ForbiddenExtraKeysError):
        yield from _unknown_fields(error, path)
    elif isinstance(error, InvalidRequest):
        yield from error.problems
    elif isinstance(error, KeyError):
        yield pointer_to(path), "is required"
    else:
        yield pointer_to(path), str(error)


def _unknown_fields(error: ForbiddenExtraKeysError, path: _Path) -> Iterator[tuple[str, str]]:
    """Each by its name, unless there are so many that the object is meant for something else."""
    known = [field.name for field in attrs.fields(error.cl)]
    if len(error.extra_fields) > len(known):
        yield pointer_to(path), f"has {len(error.extra_fields)} unknown fields; its fields are {', '.join(known)}"
        return
    for name in sorted(error.extra_fields):
        yield pointer_to((*path, name)), "there is no such field"


def _step(error: BaseException) -> _Path:
    """The field that cattrs was at when this was raised, as it noted on the error; nothing for the whole object."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return (note.name,)
        if isinstance(note, IterableValidationNote):
            return (note.index,)
    return ()


_STRICT = _converter(forbid_unknown=True)
_TOLERANT = _converter(forbid_unknown=False)
