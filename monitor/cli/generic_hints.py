"""A hint: what the table of a generic source lacks to read an answer."""

from collections.abc import Iterable

from monitor.core.batch import Phase, Reading, normalise
from monitor.core.errors import PollError
from monitor.facts.calls import write_counts
from monitor.providers.finding import Finding
from monitor.providers.generic import Generic
from monitor.providers.generic_settings import PHASES, GenericSettings
from monitor.screen.console import safe
from monitor.screen.page import Fact


def expression_problems(provider: Generic, document: bytes) -> list[str]:
    """Write why expressions do not fit a document, showing nothing of it."""
    findings = findings_in(provider, document)
    return [f"{found.key}: {found.problem}" for found in findings if found.problem]


def findings_in(provider: Generic, document: bytes) -> list[Finding]:
    """Return what each expression finds in a document; nothing in one that is no object."""
    try:
        return list(provider.meaning.findings(document))
    except PollError:
        return []


def word_facts(reading: Reading, settings: GenericSettings) -> list[Fact]:
    """Write which of a reading's words are in no list, and what that means."""
    facts: list[Fact] = []
    if reading.phase is Phase.UNKNOWN:
        keys = ", ".join(PHASES)
        facts.append(("hint", safe(f"{reading.status} is in none of {keys}", "yellow")))
    if reading.phase is Phase.ENDED:
        if left := _calls_beyond(settings.final_calls, reading):
            hint = safe("ended with open calls: ", "yellow") + left
            facts.append(("hint", hint + ": add to final_calls what is over"))
    elif left := _calls_beyond((*settings.final_calls, *settings.parked_calls), reading):
        facts.append(("open", left + ": in neither final_calls nor parked_calls"))
    return facts


def _calls_beyond(words: Iterable[str], reading: Reading) -> str:
    """Write the calls whose status is none of these words; empty when there are none."""
    known = {normalise(word) for word in words}
    counts = (reading.counts or {}).items()
    left = {
        status: number for status, number in counts if number and normalise(status) not in known
    }
    return write_counts(left) if left else ""
