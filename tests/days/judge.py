"""The judge: whether the day was told as it was shown, and in the time that the contract gives."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from monitor.core.batch import Phase
from tests.days.part import OPEN_HOURS, Part, Scene, clock

Event = Mapping[str, Any]

INTERVAL, IDLE, SETTLED = timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1)
PROBE = timedelta(minutes=1)
JITTER, DEADLINE = 1.1, timedelta(seconds=15)
FRESH = timedelta(hours=1)
PATIENCE = timedelta(minutes=15)
"""The defaults of the configuration, as the contract has them."""
DAY_ENDS_AT = clock(24)
UNREADABLE = "any, its account unreadable"
PLAIN = frozenset({"batch.first_seen", "batch.counts_changed", "batch.status_changed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Say from when to when an account could not be read, by whomever's fault."""

    source: str
    begins_at: datetime
    ends_at: datetime


@dataclass(slots=True, kw_only=True)
class Judge:
    """Compare each part with what was told of it; collect how late that was."""

    troubles: Sequence[Trouble]
    grain: timedelta
    lateness: dict[str, list[timedelta]] = field(default_factory=lambda: defaultdict(list))
    """By the state before the change."""
    too_late: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    def hear(self, part: Part, events: Sequence[Event]) -> None:
        """Judge all that was told of one batch."""
        self._check_marks(part, events)
        self._check_causes(part, events)
        self._check_lateness(part, events)
        self._check_conditions(part, events)

    def _check_marks(self, part: Part, events: Sequence[Event]) -> None:
        marks = tuple(event["type"] for event in events if event["type"] not in PLAIN)
        if marks != part.marks:
            self.untrue.append(f"{part.id}: told {marks}, expected {part.marks}")

    def _check_causes(self, part: Part, events: Sequence[Event]) -> None:
        """Every plain event tells what was shown just then, and that was another thing before."""
        last: object = None
        for at, told in _readings(events):
            shown = _shown(told[0])
            plain = [event["type"] for event in told if event["type"] in PLAIN]
            if plain and (shown == last or shown != part.scene_at(at).shown):
                self.untrue.append(f"{part.id}: {at:%H:%M:%S} {plain} without a cause: {shown}")
            last = shown

    def _check_lateness(self, part: Part, events: Sequence[Event]) -> None:
        """A change that was shown for long enough is told in time; a shorter one may be missed.

        Until the state before it was seen itself, the one before that sets the pace.
        """
        told = [(at, _shown(found[0])) for at, found in _readings(events)]
        due = ("", part.added_at)
        for before, scene, until in _changes(part):
            seen = [shown for at, shown in told if at < scene.at][-1:]
            unseen = due if seen != [before.shown] else ("", part.added_at)
            due = max(unseen, self._due(part, before, scene.at), key=itemgetter(1))
            state, deadline = due
            if until < deadline or seen == [scene.shown]:
                continue
            found = [at for at, shown in told if scene.at <= at < until and shown == scene.shown]
            self._note(f"{part.id}: {scene.shown}", state, found[:1], scene.at, deadline)

    def _due(self, part: Part, before: Scene, at: datetime) -> tuple[str, datetime]:
        """Name the state before a change, and return when that is to be told at the latest."""
        state, patience = contract(part, before, at)
        deadline = at + patience * JITTER + DEADLINE
        readable_at = self._readable(part, deadline)
        if readable_at > deadline:
            return UNREADABLE, readable_at + patience * JITTER + DEADLINE
        return state, deadline

    def _note(
        self, what: str, state: str, found: Sequence[datetime], since: datetime, deadline: datetime
    ) -> None:
        self.lateness[state] += [at - since for at in found]
        if not found or found[0] > deadline:
            told = f"{found[0]:%H:%M:%S}" if found else "never"
            self.too_late.append(
                f"{what} ({state}): shown {since:%H:%M:%S}, due {deadline:%H:%M:%S}, told {told}"
            )

    def _readable(self, part: Part, at: datetime) -> datetime:
        """Return when the account was found to be readable again, if it was not at a moment."""
        for trouble in self.troubles:
            if trouble.source in {part.source, ""} and trouble.begins_at <= at:
                at = max(at, trouble.ends_at + PROBE)
        return at

    def _check_conditions(self, part: Part, events: Sequence[Event]) -> None:
        """What has lasted for too long is told in the moment in which it has."""
        since = {"batch.stalled": "since", "batch.overdue": "scheduled_at"}
        for event in events:
            if event["type"] in since:
                moment = _time(event["data"][since[event["type"]]]) + PATIENCE
                state, due_at = "standing still or overdue", moment + self.grain
                readable_at = self._readable(part, moment)
                if readable_at > moment:
                    state, due_at = UNREADABLE, readable_at + INTERVAL * JITTER + DEADLINE
                told = [_time(event["time"])]
                self._note(f"{part.id}: {event['type']}", state, told, moment, due_at)


def contract(part: Part, scene: Scene, at: datetime) -> tuple[str, timedelta]:
    """Name the state in which a batch was, and the interval that the contract gives for it."""
    match scene.phase:
        case Phase.PAUSED:
            return "paused", IDLE
        case Phase.PENDING:
            return _pending(part, scene, at)
        case Phase.ENDED:
            return _ended(part, scene, at)
        case _ if part.source == "vogent" and not _dials_throughout(at - IDLE * JITTER, at):
            return "outside its hours", IDLE
        case _:
            return "running", INTERVAL


def _pending(part: Part, scene: Scene, at: datetime) -> tuple[str, timedelta]:
    if scene.counts:
        return "dialling, though its status does not say so", INTERVAL
    if scene.scheduled_at is None:
        fresh = at - max(scene.at, part.added_at) < FRESH
        return ("pending", INTERVAL) if fresh else ("pending for long", IDLE)
    if at < scene.scheduled_at:
        return "before its start", IDLE
    fresh = at - scene.scheduled_at < FRESH
    return ("starting", INTERVAL) if fresh else ("pending for long", IDLE)


def _ended(part: Part, scene: Scene, at: datetime) -> tuple[str, timedelta]:
    if scene.counts and not scene.open_calls:
        return "settled", SETTLED
    fresh = part.source == "bolna" and at - scene.at < FRESH
    return ("ended, calls open", INTERVAL) if fresh else ("ended", SETTLED)


def _dials_throughout(start: datetime, end: datetime) -> bool:
    """Tell whether jobs dial from one moment to the other."""
    return any(
        opens <= start.hour and end < end.replace(hour=closes, minute=0, second=0)
        for opens, closes in OPEN_HOURS
    )


def _changes(part: Part) -> Iterator[tuple[Scene, Scene, datetime]]:
    """Yield each scene that came while somebody watched, with the one before, and its end."""
    ends = [*(scene.at for scene in part.scenes[2:]), part.deleted_at or DAY_ENDS_AT]
    for (before, scene), until in zip(pairwise(part.scenes), ends, strict=False):
        if scene.at > part.added_at:
            yield before, scene, until


def _readings(events: Sequence[Event]) -> Iterator[tuple[datetime, list[Event]]]:
    for at, found in groupby(events, key=lambda event: str(event["time"])):
        yield _time(at), list(found)


def _shown(event: Event) -> tuple[str, dict[str, int]]:
    return event["data"]["status"], event["data"]["counts"] or {}


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
