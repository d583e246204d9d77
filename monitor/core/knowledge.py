"""Knowledge: what is known of a batch, and what a reading adds to it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.batch import Counts, Knowledge, Outcome, Phase, Reading, SettledBy, normalise
from monitor.core.conditions import Limits, overdue_at, settles_at, stalls_at
from monitor.core.forecast import course_of

CONFIRM_AFTER = 0.9
"""An end that counts do not show is believed at a second reading this many intervals on."""
UNKNOWN_STATUSES_LIMIT = 100
_CUT_SHORT = (Outcome.CANCELLED, Outcome.FAILED)
"""Outcomes after which what still waits is not dialled any more."""
_PLAIN = (Phase.RUNNING, Phase.PENDING, Phase.PAUSED)
"""Phases in which the same reading again means the same: neither confirmed nor reported."""


def learn(
    last: Knowledge | None, reading: Reading, *, interval: timedelta, limits: Limits, at: datetime
) -> Knowledge:
    """Return what is known after a reading: `last` itself when it brought nothing new.

    A reading without a schedule takes on the hours of `limits`, so that none outlives its config;
    another schedule is no movement.
    """
    if reading.schedule is None and limits.hours is not None:
        reading = replace(reading, schedule=limits.hours)
    if last is not None and _repeats(last, reading):
        known = last
    else:
        known = _join(last, reading, confirm_after=interval * CONFIRM_AFTER, at=at)
    return _weigh_time(known, limits, at=at)


def changes_between(last: Counts | None, counts: Counts | None) -> dict[str, int]:
    """Return the signed change per call status; an absent one is 0, unknown counts are all 0."""
    if last == counts:
        return {}
    before, after = last or {}, counts or {}
    moved = {status: after.get(status, 0) - before.get(status, 0) for status in {**before, **after}}
    return {status: change for status, change in moved.items() if change}


def calls_moved(last: Knowledge, known: Knowledge) -> bool:
    """Return whether counts or totals differ; 0 and unknown are the same."""
    return (
        (known.total_contacts or 0) != (last.total_contacts or 0)
        or (known.valid_contacts or 0) != (last.valid_contacts or 0)
        or bool(changes_between(last.counts, known.counts))
    )


def _repeats(last: Knowledge, reading: Reading) -> bool:
    """Return whether joining a reading would change nothing, at little cost: nearly always so."""
    return (
        reading.phase is last.phase
        and reading.phase in _PLAIN
        and reading.counts == last.counts
        and reading.open_calls == last.open_calls
        and reading.live_calls == last.live_calls
        and reading.parked_calls == last.parked_calls
        and reading.counted is last.counted
        and reading.status == last.status
        and reading.outcome is last.outcome
        and reading.least_contacts is None
        and reading.total_contacts in (None, last.total_contacts)
        and reading.valid_contacts in (None, last.valid_contacts)
        and reading.name in (None, last.name)
        and reading.scheduled_at == last.scheduled_at
        and reading.schedule == last.schedule
        and last.settled_at is None
        and last.unconfirmed_since is None
        and not last.born_final
        and (last.started_at is not None or last.phase is Phase.PENDING)
    )


def _join(
    last: Knowledge | None, reading: Reading, *, confirm_after: timedelta, at: datetime
) -> Knowledge:
    """Join a reading to what was known; counts and totals that it leaves out stand.

    Counts that fall to nothing were not read, rather than undone: then what was known stands.
    """
    base = last or _unread(reading, at)
    counted = any((reading.counts or {}).values())
    if counted or not any((base.counts or {}).values()):
        counts = base.counts if reading.counts is None else reading.counts
        shown: Reading | Knowledge = reading
    else:
        counts, shown = base.counts, base
    total = _total(base, reading)
    settling = _Settling()
    if reading.phase is Phase.ENDED:
        settling = _settle(
            base,
            shown,
            counted=counted and not _lacks_calls(base, reading, total),
            waits_only=_waits_only(reading, shown),
            confirm_after=confirm_after,
            at=at,
        )
    reopened = base.settled_at is not None and settling.settled_at is None
    born_final = base.born_final and reading.phase is Phase.ENDED and not reopened
    began = reading.phase is not Phase.PENDING and not born_final
    known = Knowledge(
        status=reading.status,
        phase=reading.phase,
        outcome=reading.outcome,
        counts=counts,
        open_calls=shown.open_calls,
        parked_calls=shown.parked_calls,
        live_calls=shown.live_calls,
        counted=reading.counted,
        total_contacts=total,
        valid_contacts=_latest(reading.valid_contacts, base.valid_contacts),
        name=reading.name or base.name,
        scheduled_at=reading.scheduled_at,
        schedule=reading.schedule,
        changed_at=base.changed_at,
        phase_since=base.phase_since if reading.phase is base.phase else at,
        started_at=base.started_at or (at if began else None),
        born_final=born_final,
        unconfirmed_since=settling.unconfirmed_since,
        settled_at=settling.settled_at,
        settled_by=settling.settled_by,
        unknown_statuses=_unknown_statuses(base, reading),
        begun_until=base.begun_until,
        stalled_at=base.stalled_at,
        overdue_at=base.overdue_at,
        course=base.course,
    )
    if base.begun and not known.begun:
        known = replace(known, begun_until=at)
    return last if known == last else _moved(base, known, at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settling:
    """Since when a batch is settled and by what, or since when it seems to be."""

    settled_at: datetime | None = None
    settled_by: SettledBy | None = None
    unconfirmed_since: datetime | None = None


def _settle(
    base: Knowledge,
    shown: Reading | Knowledge,
    *,
    counted: bool,
    waits_only: bool,
    confirm_after: timedelta,
    at: datetime,
) -> _Settling:
    """Believe a final status at once by whole counts, else when a second reading says so too.

    What had settled stays so until more calls are open than before. Silence, which time brings, is
    weighed apart.
    """
    if base.settled_at is not None and shown.open_calls <= base.open_calls:
        return _Settling(settled_at=base.settled_at, settled_by=base.settled_by)
    if counted and not shown.open_calls:
        return _Settling(settled_at=at, settled_by=SettledBy.COUNTS)
    if shown.open_calls and not waits_only:
        return _Settling()
    since = base.unconfirmed_since or at
    if at - since >= confirm_after:
        return _Settling(settled_at=at, settled_by=SettledBy.CONFIRMED)
    return _Settling(unconfirmed_since=since)


def _waits_only(reading: Reading, shown: Reading | Knowledge) -> bool:
    """Return whether the batch was cut short, and nobody is dialled or spoken any more."""
    if reading.outcome not in _CUT_SHORT:
        return False
    if not reading.tells_live:
        return shown.open_calls == shown.parked_calls
    return not shown.live_calls


def _moved(base: Knowledge, known: Knowledge, *, at: datetime) -> Knowledge:
    """Note that it moved, if it did."""
    moved = known.status != base.status or calls_moved(base, known)
    return replace(
        known,
        changed_at=at if moved else base.changed_at,
        stalled_at=None if moved or known.settled_at else base.stalled_at,
        course=course_of(base.course, known, at=at),
    )


def _weigh_time(known: Knowledge, limits: Limits, *, at: datetime) -> Knowledge:
    """Report what has lasted for too long by this reading."""
    silent_at = settles_at(known, limits)
    if silent_at is not None and at >= silent_at:
        return _silenced(known, at=at)
    if limits.stall_after is None and known.stalled_at is not None:
        known = replace(known, stalled_at=None)  # a reload has switched it off
    if limits.stall_after is not None and at - known.changed_at >= limits.stall_after:
        stall_at = stalls_at(known, limits, at=at)
        if stall_at is not None and at >= stall_at:
            known = replace(known, stalled_at=at)
    late_at = overdue_at(known, limits)
    if late_at is not None and at >= late_at:
        known = replace(known, overdue_at=at)
    return known


def _silenced(known: Knowledge, *, at: datetime) -> Knowledge:
    return replace(
        known,
        settled_at=at,
        settled_by=SettledBy.SILENCE,
        unconfirmed_since=None,
        stalled_at=None,
        course=(),
    )


def _total(base: Knowledge, reading: Reading) -> int | None:
    """Return the total; where the provider gives none, it is the most that was ever seen."""
    if reading.least_contacts is None:
        return _latest(reading.total_contacts, base.total_contacts)
    return max(reading.least_contacts, base.total_contacts or 0)


def _lacks_calls(base: Knowledge, reading: Reading, total: int | None) -> bool:
    """Return whether calls that were seen before are in no list just now: on their way, or gone.

    Without a total of its own, it is fewer than at the last reading; the same again stays so.
    """
    counted = sum((reading.counts or {}).values())
    if reading.least_contacts is not None:
        return total is not None and counted < total
    if base.unconfirmed_since is not None and reading.counts == base.counts:
        return True
    return counted < sum((base.counts or {}).values())


def _unread(reading: Reading, at: datetime) -> Knowledge:
    """Return what is known at the first reading, before it is joined."""
    return Knowledge(
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


def _unknown_statuses(base: Knowledge, reading: Reading) -> tuple[str, ...]:
    told = base.unknown_statuses
    if reading.phase is not Phase.UNKNOWN or normalise(reading.status) in map(normalise, told):
        return told
    return (*told, reading.status)[-UNKNOWN_STATUSES_LIMIT:]
