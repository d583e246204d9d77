"""A mistake: what is wrong with one key of the file, in the file's words."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from types import NoneType
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from monitor.config.lines import KeyPath
from monitor.config.schema import ConfigFile
from monitor.providers import SourceSettings
from monitor.providers.hours import DAY_EXAMPLE, SLOT_EXAMPLE
from monitor.secret import twins_of
from monitor.setting_types import Settings
from monitor.sinks import ReceiverSettings

_MISSING: Final = "is missing"
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_UNIONS: Final[dict[str, Any]] = {"sources": SourceSettings, "receivers": ReceiverSettings}
_SAME: Final = {
    "api_key": "bearer",
    "api_key_env": "bearer_env",
    "api_key_file": "bearer_file",
    "base_url": "url",
}
"""What tables of other providers call the same."""
_WORDS: Final = 'texts such as ["running"]'
_ARRAYS: Final = {
    "batches": "tables: [[batches]]",
    "routes": "tables: [[routes]]",
    "matchers": 'texts such as ["type = batch.completed"]',
    "retry_schedule": 'durations such as ["5s", "5m"]',
    "days": f"tables such as {DAY_EXAMPLE}",
    "timeSlots": f"tables such as {SLOT_EXAMPLE}",
}
"""What an array holds, where not status words."""
_TEXTS: Final = {
    "string_type": "must be a text in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "tuple_type": "must be an array of {items}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Of one key what is wrong and what is allowed; never its value, which may be secret."""

    path: KeyPath
    text: str
    see: KeyPath | None = None
    """Another key that has to do with it."""
    meant: KeyPath | None = None
    """The known key that this unknown one seems to stand for."""

    @property
    def key(self) -> str:
        """Write the path: `sources.bolna-prod.api_key`, `batches[0].id`."""
        written = "".join(
            f"[{part}]" if isinstance(part, int) else f".{write_key(part)}" for part in self.path
        )
        return written.removeprefix(".")


def write_key(key: str) -> str:
    """Write one key as TOML does: quoted when it must be."""
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key)


def suggest(word: str, known: Iterable[str], rest: str = "") -> str:
    """Return `; did you mean "x"?` for the nearest known word, or nothing; then the rest."""
    near = _nearest(word, known)
    if near is None:
        return rest and f"; {rest}"
    return f'; did you mean "{near}"?' + (rest and f" {rest[0].upper()}{rest[1:]}")


def no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """Write that none is called so, whom it may mean, and who there is."""
    names = list(known)
    there_are = f"there are: {', '.join(names)}" if names else f"there are no {kind}s"
    return f"there is no {kind} {json.dumps(name)}{suggest(name, names, there_are)}"


def _nearest(word: str, known: Iterable[str]) -> str | None:
    known = list(known)
    if (same := _SAME.get(word)) in known:
        return same
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def mistakes_of(error: ValidationError) -> list[Mistake]:
    """Put what pydantic found in our words; its own text would show the values.

    A key that is missing because it is misspelt is one mistake, not two; so is an array, however
    many of its values are of a wrong type.
    """
    errors = error.errors(include_url=False, include_input=False)
    found = list(dict.fromkeys(map(_mistake, errors)))
    meant = {mistake.meant for mistake in found}
    return [m for m in found if m.path not in meant or not m.text.startswith(_MISSING)]


def _mistake(found: ErrorDetails) -> Mistake:
    path, context = _path(found["loc"]), found.get("ctx", {})
    match found["type"]:
        case "extra_forbidden":
            return _unknown_key(path, _allowed(found["loc"][:-1]))
        case "value_error":
            return Mistake(path=path, text=str(context["error"]))
        case "missing":
            return Mistake(path=path, text=_MISSING)
        case "literal_error":
            return Mistake(path=path, text=f"must be {context['expected']}")
        case "union_tag_invalid" | "union_tag_not_found":
            tags = ", ".join(tables_of(str(path[0])))
            return Mistake(
                path=(*path, context["discriminator"].strip("'")), text=f"must be one of {tags}"
            )
        case kind:
            return _misfit(path, kind, found["msg"].replace("Input should be", "must be"))


def _misfit(path: KeyPath, kind: str, plain: str) -> Mistake:
    """Say what a value must be; of a wrong type in an array, what the array must hold."""
    if kind not in _TEXTS:
        return Mistake(path=path, text=plain)
    if isinstance(path[-1], int):
        path, kind = path[:-1], "tuple_type"
    items = _ARRAYS.get(str(path[-1]), _WORDS)
    return Mistake(path=path, text=_TEXTS[kind].replace("{items}", items))


def _path(loc: KeyPath) -> KeyPath:
    """Drop what pydantic puts between the keys: the mark of a key, the tag of a union."""
    keys = loc[:-1] if loc[-1] == "[key]" else loc
    return (*keys[:2], *keys[3:]) if keys[0] in _UNIONS else keys


def _unknown_key(path: KeyPath, allowed: list[str]) -> Mistake:
    word = str(path[-1])
    near = _nearest(word, allowed)
    return Mistake(
        path=path,
        text="is not a known key" + suggest(word, allowed, f"allowed: {', '.join(allowed)}"),
        meant=(*path[:-1], re.sub("_(env|file)$", "", near)) if near else None,
    )


def _allowed(loc: KeyPath) -> list[str]:
    table = _table_at(loc)
    names = {name: field.alias or name for name, field in table.model_fields.items()}
    twins = (twins_of(name) if name in table.secrets else (key,) for name, key in names.items())
    return list(chain.from_iterable(twins))


def _table_at(loc: KeyPath) -> type[Settings]:
    table: type[Settings] = ConfigFile
    if loc and loc[0] in _UNIONS:
        union, _, tag, *inner = loc
        table, loc = tables_of(str(union))[str(tag)], tuple(inner)
    return reduce(_table_under, filter(_is_key, loc), table)


def _is_key(part: str | int) -> bool:
    return isinstance(part, str)


def _table_under(table: type[Settings], key: str | int) -> type[Settings]:
    """Return the table that a key holds, alone or as one of many."""
    fields = table.model_fields.items()
    field = next(field for name, field in fields if key in (name, field.alias))
    parts = get_args(field.annotation) or (field.annotation,)
    inner: type[Settings] = next(part for part in parts if part is not NoneType)
    return inner


def tables_of(union: str) -> dict[str, type[Settings]]:
    """Return the tables of a union by tag: what `provider` or `kind` may say."""
    members, discriminator = get_args(_UNIONS[union])
    return {
        get_args(member.model_fields[discriminator.discriminator].annotation)[0]: member
        for member in get_args(members)
    }
