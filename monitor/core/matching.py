"""A matcher: one condition on the facts of an event, as Alertmanager knows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import re2

_BARE: Final = re.compile(r"[a-zA-Z0-9_:.-]+")
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False  # to standard error, beside our own
_OPTIONS.never_capture = True  # groups that nobody asks for can make a match cost many times more


class Operator(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"

    @property
    def negative(self) -> bool:
        """Return whether the matcher holds when the comparison does not."""
        return self in {Operator.NOT_EQUAL, Operator.NOT_MATCHES}

    @property
    def by_pattern(self) -> bool:
        """Return whether the value is a regular expression."""
        return self in {Operator.MATCHES, Operator.NOT_MATCHES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Compare one fact; raises ValueError for a regular expression that does not compile.

    Expressions are RE2's: what they cost grows with the length of a value, and never faster. The
    whole value must match.
    """

    name: str
    op: Operator
    value: str
    _pattern: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", _compile(self.value) if self.op.by_pattern else None)

    def __str__(self) -> str:
        """Write it so that `parse_matchers` reads the same matcher."""
        name = self.name if _BARE.fullmatch(self.name) else _quoted(self.name)
        return f"{name} {self.op} {_quoted(self.value)}"

    def matches(self, facts: Mapping[str, str]) -> bool:
        """Return whether it holds; a missing fact is the empty string."""
        value = facts.get(self.name, "")
        if self._pattern is None:
            same = value == self.value
        else:
            same = self._pattern.fullmatch(value) is not None
        return same is not self.op.negative


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'"{escaped}"'


def _compile(expression: str) -> Any:
    """Compile it as Alertmanager does, between its anchors; raise ValueError."""
    try:
        return re2.compile(f"^(?:{expression})$", _OPTIONS)
    except (re2.error, UnicodeEncodeError) as error:
        why = error.args[0]
        reason = why.decode(errors="replace") if isinstance(why, bytes) else str(error)
        raise ValueError(
            f"the regular expression {expression!r} does not compile: {reason}"
        ) from None
