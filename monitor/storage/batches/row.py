"""A watch as a row of `batches`: one mapping each way."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from monitor.core.batch import (
    NO_FAILURES,
    Batch,
    Failures,
    Knowledge,
    Origin,
    Outcome,
    Phase,
    SettledBy,
    Watch,
)
from monitor.core.errors import FailureKind
from monitor.core.schedule import Schedule, Slot
from monitor.storage.times import from_milliseconds, milliseconds

READ_COLUMNS: Final = (
    "id, source, external_id, key, origin, labels, name, sequence, snapshots, last_poll_at,"
    " observed_at, failures, status, phase, outcome, counts, open_calls, total_contacts,"
    " valid_contacts, provider_name, scheduled_at, changed_at, phase_since, started_at, born_final,"
    " unconfirmed_since, settled_at, unknown_statuses, registered_at, parked_calls, live_calls,"
    " counted, schedule, stalled_at, overdue_at, course, begun_until, settled_by, found_first"
)
"""What `watch_of` needs, in its order."""

KNOWN_COLUMNS: Final = {
    "status": "text",
    "phase": "text",
    "outcome": "text",
    "counts": "text",
    "open_calls": "bigint",
    "total_contacts": "bigint",
    "valid_contacts": "bigint",
    "provider_name": "text",
    "scheduled_at": "bigint",
    "changed_at": "bigint",
    "phase_since": "bigint",
    "started_at": "bigint",
    "born_final": "boolean",
    "unconfirmed_since": "bigint",
    "settled_at": "bigint",
    "unknown_statuses": "text",
    "parked_calls": "bigint",
    "live_calls": "bigint",
    "counted": "boolean",
    "schedule": "text",
    "begun_until": "bigint",
    "stalled_at": "bigint",
    "overdue_at": "bigint",
    "course": "text",
    "settled_by": "text",
}
"""Columns of what is known, with their Postgres types."""


_decode: Final = json.JSONDecoder().raw_decode
"""For what every poll reads: half the price of json.loads, which allows for white space."""


def watch_of(row: Sequence[Any]) -> Watch:
    """Build a watch from the columns named in READ_COLUMNS."""
    return Watch(
        batch=Batch(
            row=row[0],
            source=row[1],
            id=row[2],
            key=row[3],
            origin=Origin(row[4]),
            labels=_NO_LABELS if row[5] == "{}" else json.loads(row[5]),
            name=row[6],
            registered_at=from_milliseconds(row[28]),
            found_first=bool(row[38]),
        ),
        sequence=row[7],
        snapshots=row[8],
        last_poll_at=from_milliseconds(row[9]),
        observed_at=from_milliseconds(row[10]),
        failures=NO_FAILURES if row[11] is None else _failures_of(row[11]),
        known=None if row[12] is None else _known_of(row),
    )


def _known_of(row: Sequence[Any]) -> Knowledge:
    return Knowledge(
        status=row[12],
        phase=Phase(row[13]),
        outcome=None if row[14] is None else Outcome(row[14]),
        counts=None if row[15] is None else _decode(row[15])[0],
        open_calls=row[16],
        total_contacts=row[17],
        valid_contacts=row[18],
        name=row[19],
        scheduled_at=from_milliseconds(row[20]),
        changed_at=from_milliseconds(row[21]),
        phase_since=from_milliseconds(row[22]),
        started_at=from_milliseconds(row[23]),
        born_final=bool(row[24]),
        unconfirmed_since=from_milliseconds(row[25]),
        settled_at=from_milliseconds(row[26]),
        unknown_statuses=() if row[27] is None else tuple(json.loads(row[27])),
        parked_calls=row[29] or 0,
        live_calls=row[30] or 0,
        counted=row[31] in (None, True),  # null: read by an older version
        schedule=None if row[32] is None else _schedule_of(row[32]),
        stalled_at=from_milliseconds(row[33]),
        overdue_at=from_milliseconds(row[34]),
        course=() if row[35] is None else tuple(map(tuple, _decode(row[35])[0])),
        begun_until=from_milliseconds(row[36]),
        settled_by=None if row[37] is None else SettledBy(row[37]),
    )


@lru_cache(maxsize=256)
def _schedule_of(text: str) -> Schedule:
    """Build a schedule once for all the batches and polls that show it."""
    stored = json.loads(text)
    slots = tuple(Slot(day=day, start=start, end=end) for day, start, end in stored["slots"])
    return Schedule(zone=stored["zone"], slots=slots)


@lru_cache(maxsize=256)
def _schedule_column(schedule: Schedule) -> str:
    slots = [(slot.day, slot.start, slot.end) for slot in schedule.slots]
    return json.dumps({"zone": schedule.zone, "slots": slots})


def known_columns(known: Knowledge) -> dict[str, Any]:
    """Lay out what is known as columns."""
    return {
        "status": known.status,
        "phase": known.phase,
        "outcome": known.outcome,
        "counts": None if known.counts is None else json.dumps(dict(known.counts)),
        "open_calls": known.open_calls,
        "total_contacts": known.total_contacts,
        "valid_contacts": known.valid_contacts,
        "provider_name": known.name,
        "scheduled_at": milliseconds(known.scheduled_at),
        "changed_at": milliseconds(known.changed_at),
        "phase_since": milliseconds(known.phase_since),
        "started_at": milliseconds(known.started_at),
        "born_final": known.born_final,
        "unconfirmed_since": milliseconds(known.unconfirmed_since),
        "settled_at": milliseconds(known.settled_at),
        "unknown_statuses": json.dumps(known.unknown_statuses) if known.unknown_statuses else None,
        "parked_calls": known.parked_calls,
        "live_calls": known.live_calls,
        "counted": known.counted,
        "schedule": None if known.schedule is None else _schedule_column(known.schedule),
        "begun_until": milliseconds(known.begun_until),
        "stalled_at": milliseconds(known.stalled_at),
        "overdue_at": milliseconds(known.overdue_at),
        "course": json.dumps(known.course) if known.course else None,
        "settled_by": known.settled_by,
    }


def failures_column(failures: Failures) -> str | None:
    """Lay out a row of failed polls as JSON; none when the last poll brought a reading."""
    if failures is NO_FAILURES or failures == NO_FAILURES:
        return None
    return json.dumps(
        {
            "since": milliseconds(failures.since),
            "polls": failures.polls,
            "counted_since": milliseconds(failures.counted_since),
            "refusals": failures.refusals,
            "forbidden_row": failures.forbidden_streak,
            "forbidden_refusals": failures.forbidden_refusals,
            "kind": failures.kind,
            "status_code": failures.status_code,
            "unreachable_since": milliseconds(failures.unreachable_since),
        }
    )


def _failures_of(text: str) -> Failures:
    stored = json.loads(text)
    return Failures(
        since=from_milliseconds(stored["since"]),
        polls=stored["polls"],
        counted_since=from_milliseconds(stored["counted_since"]),
        refusals=stored["refusals"],
        forbidden_streak=stored["forbidden_row"],
        forbidden_refusals=stored["forbidden_refusals"],
        kind=None if stored["kind"] is None else FailureKind(stored["kind"]),
        status_code=stored["status_code"],
        unreachable_since=from_milliseconds(stored["unreachable_since"]),
    )


_NO_LABELS: Final[Mapping[str, str]] = {}
