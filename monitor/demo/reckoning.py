"""The reckoning: what the providers served, and whether all of it has arrived."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Final

from monitor.core.event import EventType
from monitor.core.unreachable import UNREACHABLE_POLLS
from monitor.demo.arrivals import Arrivals
from monitor.demo.cast import Role
from monitor.simulator.record import ServedAnswer

_ENDS: Final = {
    "completed": EventType.COMPLETED,
    "executed": EventType.COMPLETED,
    "COMPLETE": EventType.COMPLETED,
    "stopped": EventType.CANCELLED,
    "CANCELLED": EventType.CANCELLED,
    "failed": EventType.FAILED,
}
"""By hand: what checks the providers' parsers does not ask them."""
_ANYTHING: Final = ""


@dataclass(frozen=True, slots=True)
class State:
    """What a batch was shown as: its status and how many calls stand where."""

    status: str
    counts: str | None
    """None: the document does not say, other answers do."""

    def fits(self, reported: "State") -> bool:
        """Return whether an event's state is this one."""
        return self.status == reported.status and self.counts in (None, reported.counts)


def served_state(document: Mapping[str, Any]) -> State:
    """Read a provider's document; an absent count is 0, and so is every one of none.

    Vogent's has none; its lists, read after it, show calls that have gone on meanwhile.
    """
    counts = None if "callAgentId" in document else _write(document.get("execution_status"))
    return State(document["status"], counts)


def reported_state(document: Mapping[str, Any]) -> State:
    """Read an event's document."""
    return State(document["data"].get("status") or "", _write(document["data"].get("counts")))


def _write(counts: Mapping[str, int] | None) -> str:
    return ", ".join(f"{n} {status}" for status, n in sorted((counts or {}).items()) if n)


@dataclass(frozen=True, slots=True)
class Mark:
    """What some event must report: its type, any or one, and the state, any or one."""

    type: str
    state: State | None

    def is_reported_by(self, document: Mapping[str, Any]) -> bool:
        """Return whether an event does."""
        return self.type in (_ANYTHING, document["type"]) and (
            self.state is None or self.state.fits(reported_state(document))
        )

    def __str__(self) -> str:
        state = "" if self.state is None else f"{self.state.status} ({self.state.counts or '-'})"
        return " ".join(word for word in (self.type, state) if word)


class Course:
    """What one batch is served as: each change is a mark that an event must report."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self._state: State | None = None
        self._body: bytes | None = None
        self._refusals = 0

    def see(self, served: ServedAnswer) -> None:
        """Go on by one answer."""
        if served.body is None:
            self._refusals += 1
            if self._refusals == UNREACHABLE_POLLS:
                self.marks.append(Mark(EventType.UNREACHABLE, None))
            return
        if served.body != self._body:
            self._body = served.body
            self._show(served_state(served.document))
        if self._refusals >= UNREACHABLE_POLLS:
            self.marks.append(Mark(EventType.REACHABLE, self._state))
        self._refusals = 0

    def _show(self, state: State) -> None:
        if state != self._state:
            self.marks.append(Mark(_ANYTHING if self._state else EventType.FIRST_SEEN, state))
            self._state = state


def unreported(marks: Sequence[Mark], events: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """Return the marks that the events do not report in this order; a reading's come at once."""
    readings = [[*reading] for _, reading in groupby(events, key=itemgetter("time"))]
    place, found = 0, []
    for mark in marks:
        for at in range(place, len(readings)):
            if any(mark.is_reported_by(document) for document in readings[at]):
                place = at
                break
        else:
            found.append(mark)
    return found


class Reckoning:
    """Set what was served against what was accepted, without a look at the daemon's database."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self._courses = {role.id: (role, Course()) for role in roles}

    def note(self, served: ServedAnswer) -> None:
        """Take one answer of a provider."""
        if served.batch in self._courses:
            self._courses[served.batch][1].see(served)

    def missing(self, arrivals: Arrivals) -> list[str]:
        """Name what has not arrived; a life that is over must have been reported to its end."""
        found = []
        for role, course in self._courses.values():
            accepted = arrivals.of((f"/sources/{role.source}", role.id))
            marks = [*course.marks, *_end_of(role)]
            lost = unreported(marks, [event.document for event in accepted])
            found += [f"{role.source} {role.name}: {mark}" for mark in lost]
        return found


def _end_of(role: Role) -> list[Mark]:
    if not role.life.over:
        return []
    last = role.life.current
    state = served_state(last.document)
    if state.counts is None:  # nothing moves any more: the lists say what is reported
        statuses = Counter(row.get("status", "queued") for row in chain(*last.lists.values()))
        state = State(state.status, _write(statuses))
    return [Mark(_ENDS[state.status], state)]
