"""Accounting: what a provider served and a consumer accepted, held against what is stored."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import create_engine, text

from monitor.simulator.server import SimulatedApi
from tests.consumer import Accepted
from tests.schema import complaints

State = tuple[str, str]
"""A batch as observation compares it: its status, and the calls that there are, by status."""

_WRONG: Final = ("lost", "phantom", "unreceived", "gaps", "bad_signatures", "other_bytes", "unfit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Hold what the database says: all events, and (event, receiver) by what became of it."""

    events: frozenset[str]
    owed: frozenset[tuple[str, str]]
    done: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Count what went wrong; all but `duplicates` must be 0, whatever was killed or cut."""

    events: int
    lost: int
    """Owed to a receiver and never accepted, or a last state that was served and never told."""
    phantom: int
    """Accepted but not stored, or telling of a state that was never served, or not then."""
    unreceived: int
    """Marked as delivered, and never accepted."""
    gaps: int
    """Places where a subject's sequence is not one more than before, as first accepted."""
    bad_signatures: int
    other_bytes: int
    """Accepted again under the same id with another body."""
    unfit: int
    """Accepted with a body that is not as the published schema says."""
    duplicates: int

    @property
    def failures(self) -> int:
        """Sum up what must be 0."""
        return sum(getattr(self, name) for name in _WRONG)

    @property
    def wrong(self) -> list[str]:
        """Name what must be 0 and is not."""
        return [name for name in _WRONG if getattr(self, name)]

    @property
    def complaints(self) -> str:
        """Name what must be 0 and is not, line by line."""
        return "\n".join(f"wrong: {name}" for name in self.wrong)

    def __str__(self) -> str:
        """Show every figure."""
        return (
            f"{self.events} events: lost {self.lost}, phantom {self.phantom},"
            f" done but never received {self.unreceived}, gaps {self.gaps},"
            f" bad signatures {self.bad_signatures}, other bytes {self.other_bytes},"
            f" unfit {self.unfit}, duplicates {self.duplicates}"
        )


def account(
    accepted: Sequence[Accepted],
    stored: Stored,
    served: Mapping[tuple[str, str], Sequence[State]],
    *,
    receivers: Collection[str],
    bad_signatures: int,
) -> Account:
    """Settle the account of a run that has come to rest.

    `accepted` is in the order of acceptance, `served` holds each batch's states, by source and id,
    in the order in which they were served, the last one included. Each of `receivers` has to be
    told of all of it.
    """
    first: dict[tuple[str, str], Accepted] = {}
    other_bytes = 0
    for one in accepted:
        key = (one.event_id, one.receiver)
        other_bytes += first.setdefault(key, one).body != one.body
    lanes: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in first.values():
        event = json.loads(one.body)
        lanes.setdefault((one.receiver, event["source"], event["subject"]), []).append(event)
    invented = sum(event_id not in stored.events for event_id, _ in first)
    untold = 0
    for receiver in {receiver for receiver, _, _ in lanes} | set(receivers):
        for (source, batch), states in served.items():
            told = [shown(event["data"]) for event in lanes.get((receiver, source, batch), [])]
            invented += _unserved(told, states)
            untold += bool(states) and (not told or told[-1] != states[-1])
    return Account(
        events=len(stored.events),
        lost=len(stored.owed - first.keys()) + untold,
        phantom=invented,
        unreceived=len(stored.done - first.keys()),
        gaps=sum(_gaps(events) for events in lanes.values()),
        bad_signatures=bad_signatures,
        other_bytes=other_bytes,
        unfit=sum(bool(complaints(event)) for events in lanes.values() for event in events),
        duplicates=len(accepted) - len(first),
    )


def served_states(
    api: SimulatedApi, ids: Collection[str], *, source: str = "bolna"
) -> dict[tuple[str, str], Sequence[State]]:
    """Return what a source served of each batch, as `account` takes it."""
    path = f"/sources/{source}"
    found: dict[tuple[str, str], list[State]] = {(path, id_): [] for id_ in ids}
    for one in api.served:
        if one.body and one.batch in ids:
            found[path, one.batch].append(shown(one.document))
    return {**found}


def shown(document: Mapping[str, Any]) -> State:
    """Reduce a provider's document or an event's data to what observation compares."""
    counts = document.get("counts", document.get("execution_status")) or {}
    return document["status"], json.dumps({k: v for k, v in counts.items() if v}, sort_keys=True)


def read_stored(url: str) -> Stored:
    """Read what a database at rest says."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        events = connection.execute(text("SELECT id FROM events")).scalars()
        rows = connection.execute(text("SELECT event, receiver, state FROM deliveries")).all()
        stored = Stored(
            events=frozenset(events),
            owed=frozenset((row.event, row.receiver) for row in rows),
            done=frozenset((row.event, row.receiver) for row in rows if row.state == "delivered"),
        )
    engine.dispose()
    return stored


def _unserved(told: Sequence[State], states: Sequence[State]) -> int:
    """Count the states that were told and never served, or not in that order."""
    place, count = 0, 0
    for state in told:
        try:
            place = states.index(state, place)
        except ValueError:
            count += 1
    return count


def _gaps(events: Sequence[dict[str, Any]]) -> int:
    numbers = [event["data"]["sequence"] for event in events]
    return sum(number != place for place, number in enumerate(numbers, start=1))
