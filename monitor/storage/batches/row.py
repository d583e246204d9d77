"""A batch's row: one table of its columns, from which a watch is read and written.

A new field of what is known takes its line here and a migration; every statement follows.
"""

import json
from collections.abc import Sequence
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
from monitor.core.failure import FailureKind
from monitor.core.schedule import Schedule, Slot
from monitor.storage.fields import Field, Fields

_decode: Final = json.JSONDecoder().raw_decode
"""For what every poll reads: half the price of json.loads, which allows for white space."""
_NO_LABELS: Final[dict[str, str]] = {}

_FAILURES: Final = Fields(
    Field.time("since"),
    Field.number("polls"),
    Field.time("counted_since"),
    Field.number("refusals"),
    Field.number("forbidden_row", "forbidden_streak"),
    Field.number("forbidden_refusals"),
    Field.word(FailureKind, "kind"),
    Field.number("status_code"),
    Field.text("reason"),
    Field.time("unreachable_since"),
)
"""A streak of failed polls, by the keys of its JSON."""


def failures_column(failures: Failures) -> str | None:
    """Lay out a streak of failed polls as JSON; none when the last poll brought a reading."""
    if failures is NO_FAILURES or failures == NO_FAILURES:
        return None
    return _FAILURES.dump_json(failures)


def _failures_of(text: str) -> Failures:
    return Failures(**_FAILURES.load_json(text))


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


def _some(values: Sequence[Any]) -> str | None:
    """Lay out as JSON what is not empty."""
    return json.dumps(values) if values else None


BATCH: Final = Fields(
    Field.number("id", "row"),
    Field.text("source"),
    Field.text("external_id", "id"),
    Field.text("key"),
    Field.word(Origin, "origin"),
    Field("labels", load=lambda text: _NO_LABELS if text == "{}" else json.loads(text)),
    Field.text("name"),
    Field.time("registered_at"),
    Field.flag("found_first"),
)
MOVED: Final = Fields(
    Field.number("sequence"),
    Field.time("last_poll_at"),
    Field.time("observed_at"),
    Field("failures", load=_failures_of, dump=failures_column, null=NO_FAILURES),
)
"""What every poll moves."""
KNOWN: Final = Fields(
    Field.text("status", limit=64),
    Field.word(Phase, "phase"),
    Field.word(Outcome, "outcome"),
    Field("counts", load=lambda text: _decode(text)[0], dump=lambda counts: json.dumps({**counts})),
    Field.number("open_calls"),
    Field.number("total_contacts"),
    Field.number("valid_contacts"),
    Field.text("provider_name", "name", limit=256),
    Field.time("scheduled_at"),
    Field.time("changed_at"),
    Field.time("phase_since"),
    Field.time("started_at"),
    Field.flag("born_final"),
    Field.time("unconfirmed_since"),
    Field.time("settled_at"),
    Field("unknown_statuses", load=lambda text: tuple(json.loads(text)), dump=_some, null=()),
    Field.number("parked_calls", null=0),
    Field.number("live_calls", null=0),
    Field.flag("counted", null=True),  # null: read by an older version
    Field("schedule", load=_schedule_of, dump=_schedule_column),
    Field.time("begun_until"),
    Field.time("stalled_at"),
    Field.time("overdue_at"),
    Field("course", load=lambda text: tuple(map(tuple, _decode(text)[0])), dump=_some, null=()),
    Field.word(SettledBy, "settled_by"),
)
"""What is known: all null before the first reading."""
READ_COLUMNS: Final = f"{BATCH.columns}, {MOVED.columns}, {KNOWN.columns}, snapshots"
"""What `watch_of` needs, in its order."""
_MOVED_AT: Final = len([*BATCH])
_KNOWN_AT: Final = _MOVED_AT + len([*MOVED])
_SNAPSHOTS_AT: Final = _KNOWN_AT + len([*KNOWN])


def watch_of(row: Sequence[Any]) -> Watch:
    """Build a watch from the columns named in READ_COLUMNS."""
    known = None
    if row[_KNOWN_AT] is not None:
        known = Knowledge(**KNOWN.load(row[_KNOWN_AT:]))
    return Watch(
        batch=Batch(**BATCH.load(row)),
        snapshots=row[_SNAPSHOTS_AT],
        known=known,
        **MOVED.load(row[_MOVED_AT:]),
    )
