"""A matcher: one condition on the facts of an event, written as Alertmanager writes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

VALUE_LIMIT = 256
"""Characters of a value that a regular expression sees: its cost stays bounded."""

_NAME = re.compile(r"\s*([a-z0-9][a-z0-9_-]{0,62})(?![A-Za-z0-9_.-])\s*")
_OPERATOR = re.compile(r"(=~|!=|!~|=)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"[^\s\"',=~!][^\s\",]*")
_ESCAPE = re.compile(r'\\(["\\])')


class Operator(StrEnum):
    """Say how a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"

    @property
    def negative(self) -> bool:
        """Tell whether the matcher holds when the comparison does not."""
        return self in {Operator.NOT_EQUAL, Operator.NOT_MATCHES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Compare one fact; raises ValueError for a regular expression that does not compile."""

    name: str
    op: Operator
    value: str
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_pattern = self.op in {Operator.MATCHES, Operator.NOT_MATCHES}
        object.__setattr__(self, "_pattern", _compile(self.value) if by_pattern else None)

    def __str__(self) -> str:
        """Write it so that `parse_matcher` reads the same matcher."""
        value = self.value.replace("\\", r"\\").replace('"', r"\"")
        return f'{self.name} {self.op} "{value}"'

    def matches(self, facts: Mapping[str, str]) -> bool:
        """Tell whether it holds; a missing fact is the empty string."""
        value = facts.get(self.name, "")
        if self._pattern is None:
            same = value == self.value
        else:
            same = self._pattern.fullmatch(value[:VALUE_LIMIT]) is not None
        return same is not self.op.negative


def parse_matcher(text: str) -> Matcher:
    r"""Read `name op value`; raises ValueError with what is wrong, where, and what to do.

    A value is bare or in double quotes; inside quotes only `\"` and `\\` are escapes, any other
    backslash stands for itself, so that regular expressions need no doubling.
    """
    name = _NAME.match(text)
    if name is None:
        raise ValueError(
            f"{text!r} must begin with a name of a-z, 0-9, _ and -, such as type, source or a label"
        )
    operator = _OPERATOR.match(text, name.end())
    if operator is None:
        raise ValueError(f'{text!r} has no operator after "{name[1]}": put =, !=, =~ or !~ there')
    return Matcher(
        name=name[1],
        op=Operator(operator[1]),
        value=_read_value(text, operator.end(), after=operator[1]),
    )


def _read_value(text: str, start: int, *, after: str) -> str:
    rest = text[start:].rstrip()
    if quoted := _QUOTED.fullmatch(rest):
        return _ESCAPE.sub(r"\1", quoted[1])
    if rest.startswith('"'):
        raise ValueError(
            f'{text!r} must have one closing " at its end: inside quotes write " as \\" and '
            "a \\ at the very end as \\\\"
        )
    if not rest:
        raise ValueError(f'{text!r} has no value after "{after}": for the empty one write ""')
    if not _BARE.fullmatch(rest):
        raise ValueError(f'{text!r} needs its value after "{after}" in double quotes')
    return rest


def _compile(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"the regular expression {expression!r} does not compile: {error}"
        ) from error
