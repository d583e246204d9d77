"""Observation: what a reading changes in a batch's state, and the events that tell it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.batch import (
    Counts,
    Failures,
    Known,
    Origin,
    Outcome,
    Phase,
    Reading,
    Watch,
    fold,
)
from monitor.core.event import Document, Event, EventType, compose, stamp
from monitor.core.payload import batch_data, batch_subject
from monitor.core.source import Source

CONFIRM_AFTER = 0.9
"""A final status without usable counts is believed at a second reading this many intervals on."""
UNKNOWN_STATUSES_LIMIT = 100

_END = {
    Outcome.COMPLETED: EventType.COMPLETED,
    Outcome.FAILED: EventType.FAILED,
    Outcome.CANCELLED: EventType.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Hold a reading that differs from the last one."""

    number: int
    at: datetime
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Hold what one poll yields: the new state, a snapshot if it differs, the events."""

    watch: Watch
    snapshot: Snapshot | None = None
    events: tuple[Event, ...] = ()


def instant(watch: Watch, now: datetime) -> datetime:
    """Return the time of a poll in whole milliseconds; no two polls of a batch share it."""
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    if watch.last_poll_at is None or at > watch.last_poll_at:
        return at
    return watch.last_poll_at + timedelta(milliseconds=1)


def observe(
    watch: Watch, reading: Reading, *, source: Source, interval: timedelta, at: datetime
) -> Observation:
    """Compare a reading with all that is known of its batch.

    `interval` is the source's polling interval: it says how far apart two readings must be to
    confirm an end that shows no counts.
    """
    last = watch.known
    known = _learn(last, reading, confirm_after=interval * CONFIRM_AFTER, at=at)
    moved = last is None or (known is not last and known.changed_at == at)
    reachable = watch.failures.unreachable_since is not None
    types = tuple(_event_types(last, known, origin=watch.batch.origin, reachable=reachable))
    after = replace(
        watch,
        known=known,
        observed_at=at,
        last_poll_at=at,
        failures=Failures(),
        sequence=watch.sequence + len(types),
        snapshots=watch.snapshots + moved,
    )
    return Observation(
        watch=after,
        snapshot=Snapshot(number=after.snapshots, at=at, known=known) if moved else None,
        events=_events(types, watch, after, source=source, at=at) if types else (),
    )


def changes_between(last: Counts | None, counts: Counts | None) -> dict[str, int]:
    """Return the signed change per call status; an absent one is 0, unknown counts are all 0."""
    if last == counts:
        return {}
    before, after = last or {}, counts or {}
    moved = {status: after.get(status, 0) - before.get(status, 0) for status in {**before, **after}}
    return {status: change for status, change in moved.items() if change}


def _learn(
    last: Known | None, reading: Reading, *, confirm_after: timedelta, at: datetime
) -> Known:
    """Join a reading to what was known; counts and totals that it leaves out stand."""
    base = last or _unread(reading, at)
    counted = any((reading.counts or {}).values())
    if counted or not any((base.counts or {}).values()):
        counts = base.counts if reading.counts is None else reading.counts
        open_calls = reading.open_calls
    else:
        counts, open_calls = base.counts, base.open_calls
    settled_at, unconfirmed_since = base.settled_at, None
    if reading.phase is not Phase.ENDED or (counted and open_calls):
        settled_at = None
    elif settled_at is None and open_calls == 0:
        unconfirmed_since = None if counted else base.unconfirmed_since or at
        if unconfirmed_since is None or at - unconfirmed_since >= confirm_after:
            settled_at, unconfirmed_since = at, None
    reopened = base.settled_at is not None and settled_at is None
    born_final = base.born_final and reading.phase is Phase.ENDED and not reopened
    began = reading.phase is not Phase.PENDING and not born_final
    known = Known(
        status=reading.status,
        phase=reading.phase,
        outcome=reading.outcome,
        counts=counts,
        open_calls=open_calls,
        total_contacts=_latest(reading.total_contacts, base.total_contacts),
        valid_contacts=_latest(reading.valid_contacts, base.valid_contacts),
        name=reading.name or base.name,
        scheduled_at=reading.scheduled_at,
        changed_at=base.changed_at,
        phase_since=base.phase_since if reading.phase is base.phase else at,
        started_at=base.started_at or (at if began else None),
        born_final=born_final,
        unconfirmed_since=unconfirmed_since,
        settled_at=settled_at,
        unknown_statuses=_unknown_statuses(base, reading),
    )
    if known == last:
        return last
    moved = known.status != base.status or _counts_moved(base, known)
    return replace(known, changed_at=at) if moved else known


def _unread(reading: Reading, at: datetime) -> Known:
    """Return what is known at the first reading, before it is joined."""
    return Known(
        status=reading.status,
        phase=reading.phase,
        outcome=reading.outcome,
        counts=None,
        open_calls=0,
        total_contacts=None,
        valid_contacts=None,
        name=None,
        scheduled_at=None,
        changed_at=at,
        phase_since=at,
        started_at=None,
        born_final=reading.phase is Phase.ENDED,
    )


def _latest(new: int | None, old: int | None) -> int | None:
    return old if new is None else new


def _unknown_statuses(base: Known, reading: Reading) -> tuple[str, ...]:
    told = base.unknown_statuses
    if reading.phase is not Phase.UNKNOWN or fold(reading.status) in map(fold, told):
        return told
    return (*told, reading.status)[-UNKNOWN_STATUSES_LIMIT:]


def _counts_moved(last: Known, known: Known) -> bool:
    return (
        (known.total_contacts or 0) != (last.total_contacts or 0)
        or (known.valid_contacts or 0) != (last.valid_contacts or 0)
        or bool(changes_between(last.counts, known.counts))
    )


def _event_types(
    last: Known | None, known: Known, *, origin: Origin, reachable: bool
) -> Iterator[EventType]:
    """Yield what this poll tells, in the order in which it is told."""
    yield from _moves(last, known)
    if known.phase is Phase.UNKNOWN and known.unknown_statuses != _reported(last):
        yield EventType.STATUS_UNKNOWN
    was_settled = last is not None and last.settled_at is not None
    unwatched = known.born_final and origin is Origin.DISCOVERED
    if known.settled_at and known.outcome and not was_settled and not unwatched:
        yield _END[known.outcome]
    if was_settled and known.settled_at is None:
        yield EventType.REOPENED
    if reachable:
        yield EventType.REACHABLE


def _moves(last: Known | None, known: Known) -> Iterator[EventType]:
    if last is None:
        yield EventType.FIRST_SEEN
        return
    if _counts_moved(last, known):
        yield EventType.COUNTS_CHANGED
    if known.status != last.status:
        yield EventType.STATUS_CHANGED


def _reported(last: Known | None) -> tuple[str, ...]:
    return last.unknown_statuses if last else ()


def _events(
    types: tuple[EventType, ...], before: Watch, after: Watch, *, source: Source, at: datetime
) -> tuple[Event, ...]:
    last, known = before.known, after.known
    changes = changes_between(last.counts, known.counts) if last and known else {}
    data = batch_data(source, before, after, changes=changes)
    subject = batch_subject(before.batch)
    return tuple(
        compose(
            event_type,
            subject,
            sequence=before.sequence + number,
            at=at,
            data=data | _extra(event_type, before, after, at),
        )
        for number, event_type in enumerate(types, start=1)
    )


def _extra(event_type: EventType, before: Watch, after: Watch, at: datetime) -> Document:
    known = after.known
    if event_type in _END.values() and known is not None:
        started_at = known.started_at
        duration = None if started_at is None else (at - started_at).total_seconds()
        return {"duration_seconds": duration, "late": known.born_final}
    if event_type is EventType.REACHABLE and before.failures.since is not None:
        return {"since": stamp(before.failures.since)}
    return {}
