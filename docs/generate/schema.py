"""The JSON Schema of the events: made of the types that the program lays them out by."""

from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from docs.generate.bodies import pretty
from docs.generate.docstrings import docstrings
from monitor.core.body import DATA, Body, ExampleData
from monitor.core.event import EventType, Stamp
from monitor.core.failure import FailureKind

Schema = dict[str, Any]

_GROWING: Final = (EventType, FailureKind)
"""Sets to which words may be added: consumers ignore those that they do not know."""
_PLAIN: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    Stamp: {"type": "string", "format": "date-time"},
}


def write_schema() -> str:
    """Write the schema of every event: what it promises, and no more."""
    return f"{pretty(_whole())}\n"


def _whole() -> Schema:
    defined: dict[str, Schema] = {}
    event = _object(Body, defined)
    by_type = [
        {
            "if": {"properties": {"type": {"const": event_type.value}}},
            "then": {"properties": {"data": {"$ref": f"#/$defs/{event_type.value}"}}},
        }
        for event_type in EventType
    ]
    data = {
        event_type.value: {
            "description": f"`data` of a {event_type.value}.",
            "allOf": [_of(part, defined) for part in (*DATA[event_type], ExampleData)],
        }
        for event_type in EventType
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of the batch monitor",
        **event,
        "allOf": by_type,
        "$defs": data | defined,
    }


def _of(hint: Any, defined: dict[str, Schema]) -> Schema:
    """Return the schema of a type; the objects in it are defined on the way."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if is_typeddict(hint):
        if hint.__name__ not in defined:
            defined[hint.__name__] = _object(hint, defined)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        words = [word.value for word in hint]
        return {"type": "string", "examples": words} if hint in _GROWING else {"enum": words}
    return _composed(get_origin(hint), get_args(hint), defined)


def _composed(origin: Any, arguments: tuple[Any, ...], defined: dict[str, Schema]) -> Schema:
    if origin in {Union, UnionType}:
        return {"anyOf": [_of(one, defined) for one in arguments]}
    if origin is Literal:
        return {"const": arguments[0]}
    if origin is list:
        return {"type": "array", "items": _of(arguments[0], defined)}
    if arguments[1:] == (object,):
        return {"type": "object"}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], defined)}
    raise TypeError(f"{origin}: say here how the schema writes it")


def _object(owner: type, defined: dict[str, Schema]) -> Schema:
    """Return the schema of an object; it may hold more than is said here."""
    told = docstrings(owner)
    hints = get_type_hints(owner, include_extras=True)
    properties = {
        name: _of(get_args(hint)[0] if get_origin(hint) is NotRequired else hint, defined)
        | ({"description": told[name]} if name in told else {})
        for name, hint in hints.items()
    }
    required = [name for name, hint in hints.items() if get_origin(hint) is not NotRequired]
    description = owner.__doc__ or ""
    return {
        "description": description,
        "type": "object",
        "required": required,
        "properties": properties,
    }
