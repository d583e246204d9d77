"""Observation: what a reading changes in a batch's state, and the events that report it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.batch import NO_FAILURES, Batch, Knowledge, Outcome, Phase, Reading, Watch
from monitor.core.body import EndData, ProgressingData, ReachableData, StalledData
from monitor.core.conditions import Limits
from monitor.core.event import Event, EventType, compose, stamp
from monitor.core.knowledge import calls_moved, learn
from monitor.core.payload import batch_data, batch_subject
from monitor.core.source import Source
from monitor.core.value import value

_END = {
    Outcome.COMPLETED: EventType.COMPLETED,
    Outcome.FAILED: EventType.FAILED,
    Outcome.CANCELLED: EventType.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A reading that differs from the last one."""

    number: int
    at: datetime
    known: Knowledge


@value
class Observation:
    """What one poll yields: the new state, a snapshot if it differs, the events."""

    watch: Watch
    snapshot: Snapshot | None = None
    events: tuple[Event, ...] = ()


def poll_time(watch: Watch, now: datetime) -> datetime:
    """Return the time of a poll in whole milliseconds; no two polls of a batch share it."""
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    if watch.last_poll_at is None or at > watch.last_poll_at:
        return at
    return watch.last_poll_at + timedelta(milliseconds=1)


def observe(
    watch: Watch,
    reading: Reading,
    *,
    source: Source,
    interval: timedelta,
    limits: Limits,
    at: datetime,
) -> Observation:
    """Compare a reading with all that is known of its batch.

    `interval` is the source's polling interval: it says how far apart two readings must be to
    confirm an end that counts do not show.
    """
    last = watch.known
    known = learn(last, reading, interval=interval, limits=limits, at=at)
    moved = last is None or (known is not last and known.changed_at == at)
    reachable = watch.failures.unreachable_since is not None
    types: tuple[EventType, ...] = ()
    if known is not last or reachable:
        types = tuple(_event_types(last, known, batch=watch.batch, reachable=reachable))
    after = Watch(
        batch=watch.batch,
        known=known,
        observed_at=at,
        last_poll_at=at,
        failures=NO_FAILURES,
        sequence=watch.sequence + len(types),
        snapshots=watch.snapshots + moved,
    )
    return Observation(
        watch=after,
        snapshot=Snapshot(number=after.snapshots, at=at, known=known) if moved else None,
        events=_events(types, watch, after, reading, source=source, at=at) if types else (),
    )


def _event_types(
    last: Knowledge | None, known: Knowledge, *, batch: Batch, reachable: bool
) -> Iterator[EventType]:
    """Yield the events of this poll in the order in which they are reported."""
    yield from _moves(last, known)
    if known.phase is Phase.UNKNOWN and known.unknown_statuses != _reported(last):
        yield EventType.STATUS_UNKNOWN
    was_settled = last is not None and last.settled_at is not None
    if known.settled_at and not _is_old_news(batch, known):
        told_before = last is not None and was_settled and not _is_old_news(batch, last)
        yield from _end(last if told_before else None, known)
    if was_settled and known.settled_at is None:
        yield EventType.REOPENED
    if reachable:
        yield EventType.REACHABLE
    yield from _lasting(last, known)


def _end(settled: Knowledge | None, known: Knowledge) -> Iterator[EventType]:
    """Yield how it ended, and again when what had settled turns out to have ended otherwise."""
    if known.outcome and (settled is None or settled.outcome is not known.outcome):
        yield _END[known.outcome]


def _is_old_news(batch: Batch, known: Knowledge) -> bool:
    """Return whether it had ended when whole lists were first read, and has not moved since."""
    return batch.found_first and known.born_final and known.changed_at == known.phase_since


def _lasting(last: Knowledge | None, known: Knowledge) -> Iterator[EventType]:
    """Yield what has lasted too long, and what does no longer: an end needs no word of that."""
    stalled, was_stalled = known.stalled_at, last.stalled_at if last else None
    if stalled is not None and was_stalled is None:
        yield EventType.STALLED
    if last is not None and was_stalled is not None and known.changed_at > last.changed_at:
        yield EventType.PROGRESSING
    if known.overdue_at is not None and (last is None or known.overdue_at != last.overdue_at):
        yield EventType.OVERDUE


def _moves(last: Knowledge | None, known: Knowledge) -> Iterator[EventType]:
    if last is None:
        yield EventType.FIRST_SEEN
        return
    if calls_moved(last, known):
        yield EventType.COUNTS_CHANGED
    if known.status != last.status:
        yield EventType.STATUS_CHANGED


def _reported(last: Knowledge | None) -> tuple[str, ...]:
    return last.unknown_statuses if last else ()


def _events(
    types: tuple[EventType, ...],
    before: Watch,
    after: Watch,
    reading: Reading,
    *,
    source: Source,
    at: datetime,
) -> tuple[Event, ...]:
    data = batch_data(source, before, after)
    subject = batch_subject(before.batch)
    return tuple(
        compose(
            event_type,
            subject,
            sequence=before.sequence + number,
            at=at,
            data={**data, **_extra(event_type, before, after, reading)},
        )
        for number, event_type in enumerate(types, start=1)
    )


def _extra(
    event_type: EventType, before: Watch, after: Watch, reading: Reading
) -> Mapping[str, object]:
    known = after.known
    if event_type in _END.values() and known is not None and known.settled_at is not None:
        started_at = known.started_at
        duration = None if started_at is None else (known.settled_at - started_at).total_seconds()
        return EndData(
            duration_seconds=duration,
            late=known.born_final,
            settled_by=known.settled_by,
            unknown_call_statuses=list(reading.unknown_call_statuses),
        )
    if event_type is EventType.REACHABLE and before.failures.since is not None:
        return ReachableData(since=stamp(before.failures.since))
    if event_type is EventType.STALLED and known is not None:
        unknown = list(reading.unknown_call_statuses)
        return StalledData(since=stamp(known.changed_at), unknown_call_statuses=unknown)
    if event_type is EventType.PROGRESSING and before.known is not None:
        return ProgressingData(since=stamp(before.known.changed_at))
    return {}
