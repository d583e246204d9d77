"""A hint: what the table of a generic source lacks to read an answer, or may have wrong."""

from collections.abc import Iterable, Iterator
from typing import Final

from monitor.core.batch import Phase, Reading, normalise
from monitor.core.errors import PollError
from monitor.facts.calls import write_counts
from monitor.providers.finding import NO_STATUS, Finding
from monitor.providers.generic import Generic
from monitor.providers.generic_settings import PHASES, GenericSettings
from monitor.screen.console import safe
from monitor.screen.page import Fact

_COUNTED: Final = frozenset({"counts", "total", "valid"})
"""The keys under which an answer without anything is rare: a start or a name is often missing."""


def expression_problems(provider: Generic, document: bytes) -> list[str]:
    """Write why expressions do not fit a document, showing nothing of it."""
    findings = findings_in(provider, document)
    return [f"{found.key}: {found.problem}" for found in findings if found.problem]


def findings_in(provider: Generic, document: bytes) -> list[Finding]:
    """Return what each expression finds in a document; nothing in one that is no object."""
    try:
        return list(provider.findings(document))
    except PollError:
        return []


def hints(
    reading: Reading, settings: GenericSettings, findings: Iterable[Finding]
) -> Iterator[Fact]:
    """Yield what expressions seem to miss, and which words of a reading are in no list."""
    total = reading.valid_contacts or reading.total_contacts
    for finding in findings:
        if finding.key in _COUNTED and (doubt := _doubt(finding.value, total)):
            yield "hint", safe(f"{finding.key} {doubt}", "yellow")
    if reading.phase is Phase.UNKNOWN:
        yield "hint", safe(f"{reading.status} is in none of {', '.join(PHASES)}", "yellow")
    if reading.phase is Phase.ENDED:
        yield from _left_open(reading, settings)
    elif left := _calls_beyond((*settings.final_calls, *settings.parked_calls), reading):
        yield "open", left + ": in neither final_calls nor parked_calls"


def _doubt(found: object, total: int | None) -> str:
    """Write why this may not be what was looked for; empty where nothing speaks for that."""
    if found is None:
        return "finds nothing: is its path right?"
    if not isinstance(found, dict | list):
        return ""
    if not found:
        return f"finds no calls, though there are {total:,}: is its path right?" if total else ""
    if isinstance(found, dict):
        lacking = ", ".join(word for word, number in found.items() if number is None)
        return lacking and f"found no number for {lacking}: is the path right?"
    if any(one is not None for one in found):
        return ""
    items = f"{len(found):,} item{'' if len(found) == 1 else 's'}"
    return f"found {items}, and no status in any of them: is the field's name right?"


def _left_open(reading: Reading, settings: GenericSettings) -> Iterator[Fact]:
    """Yield what keeps a batch that has ended from being over."""
    if left := _calls_beyond(settings.final_calls, reading):
        hint = safe("ended with open calls: ", "yellow") + left
        yield "hint", hint + ": add to final_calls what is over"
    if number := (reading.counts or {}).get(NO_STATUS):
        yield "hint", safe("ended with open calls that have no status: ", "yellow") + f"{number:,}"


def _calls_beyond(words: Iterable[str], reading: Reading) -> str:
    """Write the calls whose status is none of these words; empty when there are none.

    Those without a status are left out: that is no word, and whoever lists it ends what waits.
    """
    known = {normalise(word) for word in (NO_STATUS, *words)}
    counts = (reading.counts or {}).items()
    left = {
        status: number for status, number in counts if number and normalise(status) not in known
    }
    return write_counts(left) if left else ""
