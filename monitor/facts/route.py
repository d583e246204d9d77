"""A route beside one event: whether it applies, and which matcher fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.core.matching import Matcher
from monitor.core.routing import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """A route, and what it sees of one event."""

    number: int
    """Its place in the file, from 1 on."""
    route: Route
    facts: Mapping[str, str]

    @property
    def applies(self) -> bool:
        """Return whether the event goes its way."""
        return self.route.applies(self.facts)

    def write(self) -> str:
        """Write why it applies, or which matchers fail and what they see."""
        if not self.route.matchers:
            return "applies: it has no matchers, everything goes this way"
        if self.applies:
            return f"applies: {', '.join(write_matcher(one) for one in self.route.matchers)}"
        failing = (
            f"{write_matcher(one)} fails, {one.name} is {self._value(one)}"
            for one in self.route.matchers
            if not one.matches(self.facts)
        )
        return f"does not apply: {'; '.join(failing)}"

    def document(self) -> dict[str, Any]:
        """Lay it out as JSON."""
        return {
            "number": self.number,
            "receiver": self.route.receiver,
            "applies": self.applies,
            "matchers": [
                {
                    "matcher": str(matcher),
                    "value": self.facts.get(matcher.name, ""),
                    "holds": matcher.matches(self.facts),
                }
                for matcher in self.route.matchers
            ],
        }

    def _value(self, matcher: Matcher) -> str:
        value = self.facts.get(matcher.name, "")
        return f'"{value}"' if value else "empty"


def write_matcher(matcher: Matcher) -> str:
    """Write a matcher as files mostly do: without the escapes that it may need there."""
    return f'{matcher.name} {matcher.op} "{matcher.value}"'
