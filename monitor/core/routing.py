"""A route: the matchers that lead an event to one receiver."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.core.matching import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Lead to one receiver; without matchers, everything."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()

    def applies(self, facts: Mapping[str, str]) -> bool:
        """Return whether all matchers hold."""
        return all(matcher.matches(facts) for matcher in self.matchers)


def receivers_of(facts: Mapping[str, str], routes: Iterable[Route]) -> tuple[str, ...]:
    """Return each receiver with a route that applies, once, in the order of the routes."""
    return tuple(dict.fromkeys(route.receiver for route in routes if route.applies(facts)))
