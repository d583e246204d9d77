"""Matchers that no event can satisfy, as far as the file tells."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from monitor.config.lines import KeyPath
from monitor.config.mistakes import Mistake, suggest, tables_of
from monitor.config.references import Tables, tables_in
from monitor.core.batch import Outcome, Phase
from monitor.core.event import CONDITION_NAMES, EventType
from monitor.core.matcher_text import parse_matchers
from monitor.core.matching import Matcher, Operator

_EMPTY: Final = ""
"""What events lack: those of a source have no phase, a test has no source."""
_KNOWN: Final[Mapping[str, Collection[str]]] = {
    "type": [kind.value for kind in EventType],
    "phase": [*(phase.value for phase in Phase), _EMPTY],
    "outcome": [*(outcome.value for outcome in Outcome), _EMPTY],
    **dict.fromkeys(CONDITION_NAMES, ("true", _EMPTY)),
}


def check_matchers(file: Tables) -> Iterator[Mistake]:
    """Find matchers on closed sets of values that hold for none of them.

    Works on the raw file, and passes over what is no matcher: that is reported as such.
    """
    sources = file.get("sources", {})
    known = {**_KNOWN, "provider": (*tables_of("sources"), _EMPTY)}
    if isinstance(sources, dict):
        known["source"] = (*sources, _EMPTY)
    for path, matcher in _written(file):
        values = known.get(matcher.name)
        if values is None or any(matcher.matches({matcher.name: value}) for value in values):
            continue
        yield Mistake(path=path, text=_never(matcher, [value for value in values if value]))


def write_unmatched(matchers: Collection[Matcher]) -> Iterator[str]:
    """Write which of some matchers hold for no batch, and what may be meant."""
    for matcher in matchers:
        values = _KNOWN.get(matcher.name, ())
        if values and not any(matcher.matches({matcher.name: value}) for value in values):
            yield _never(matcher, [value for value in values if value]).replace("event", "batch")


def _never(matcher: Matcher, values: Collection[str]) -> str:
    match matcher.op:
        case Operator.EQUAL:
            what = f'no event has {matcher.name} "{matcher.value}"'
        case Operator.MATCHES:
            what = f'no event has a {matcher.name} that matches "{matcher.value}"'
        case _:
            return f"no event has a {matcher.name} for which {matcher} holds"
    if matcher.name in CONDITION_NAMES:
        return f'{what}; it is "true" or ""'
    return what + suggest(matcher.value.replace("\\", ""), values)


def _written(file: Tables) -> Iterator[tuple[KeyPath, Matcher]]:
    """Yield each matcher with the path of the text that it stands in."""
    for number, route in tables_in(file, "routes"):
        texts = route.get("matchers")
        for place, text in enumerate(texts if isinstance(texts, list) else ()):
            try:
                matchers = parse_matchers(text) if isinstance(text, str) else ()
            except ValueError:
                continue
            yield from ((("routes", number, "matchers", place), matcher) for matcher in matchers)
