"""What a day costs: the polls that the pace spends on each state, played without a daemon."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from monitor.core.batch import Batch, Outcome, Phase, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.observe import observe, poll_time
from monitor.core.pacing import Pace, next_poll_at
from monitor.core.source import Source
from tests.days.part import clock

QUARTER = timedelta(minutes=15)
PACE = Pace(
    interval=timedelta(seconds=30),
    idle_interval=timedelta(minutes=5),
    settled_interval=timedelta(hours=1),
    forget_after=timedelta(hours=24),
    limits=Limits(stall_after=QUARTER, overdue_after=QUARTER, settle_after=QUARTER),
)
SOURCE = Source(row=1, name="bolna-prod", provider="bolna", key="the source's key")
TOMORROW = clock(33)
DAY = timedelta(hours=24)
DIALLED = timedelta(hours=2)
CALLS = 240

PAUSED = Reading(
    status="PAUSED", phase=Phase.PAUSED, counts={"queued": 9, "completed": 9}, open_calls=9
)
LEFT = Reading(status="created", phase=Phase.PENDING)

Show = Callable[[datetime], Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Hold one batch's course: what it shows when, from when on it is watched."""

    name: str
    since: datetime
    show: Show


@dataclass(slots=True, kw_only=True)
class Spent:
    """Count the polls of a stretch of time, by the kind of batch and by its phase."""

    batches: Counter[str] = field(default_factory=Counter)
    polls: Counter[tuple[str, str]] = field(default_factory=Counter)
    lateness: timedelta = timedelta()
    """The longest between a change of status and counts and the poll that shows it."""
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.polls.values())

    def lines(self, *, lasts: timedelta) -> Iterator[str]:
        """Set it out against polling each batch at the same interval all the time."""
        fixed = sum(self.batches.values()) * int(lasts / PACE.interval)
        yield f"{'polls':>8}  batches, phase"
        for (name, phase), number in self.polls.most_common():
            yield f"{number:8}  {self.batches[name]} {name}, {phase}"
        yield f"{self.total:8}  in all, at most {self.lateness.total_seconds():.0f} s late"
        yield f"{fixed:8}  with all of them polled every 30 s: {fixed / self.total:.1f} times more"


def typical_day() -> Iterator[Kind]:
    """Bring 200 batches: 20 that run for two hours each, the rest waits or is over."""
    for number in range(20):
        yield running(number)
    for number in range(80):
        yield for_tomorrow(number)
    for number in range(70):
        yield settled_yesterday(number)
    for number in range(20):
        yield Kind(name="paused", since=clock(-3 - number), show=_always(PAUSED))
    for number in range(10):
        yield Kind(name="made and left", since=clock(-2 - number), show=_always(LEFT))


def _always(reading: Reading) -> Show:
    return lambda _at: reading


def for_tomorrow(number: int) -> Kind:
    """Wait for a start that is far off."""
    reading = Reading(status="scheduled", phase=Phase.PENDING, counts={}, scheduled_at=TOMORROW)
    since = clock(-1) + timedelta(seconds=number)
    return Kind(name="pending for tomorrow", since=since, show=_always(reading))


def settled_yesterday(number: int) -> Kind:
    """Have ended in the course of yesterday."""
    reading = Reading(
        status="completed",
        phase=Phase.ENDED,
        outcome=Outcome.COMPLETED,
        counts={"completed": 40},
    )
    since = clock(-16 + number / 5)
    return Kind(name="settled yesterday", since=since, show=_always(reading))


def running(number: int) -> Kind:
    """Wait for two hours, begin some minutes late, dial for two hours, end."""
    starts_at = clock(7 + number / 2)
    begins_at = starts_at + timedelta(minutes=number % 10)
    ends_at = begins_at + DIALLED
    waiting = Reading(status="scheduled", phase=Phase.PENDING, counts={}, scheduled_at=starts_at)

    def show(at: datetime) -> Reading:
        if at < begins_at:
            return waiting
        done = min(CALLS, int(CALLS * ((at - begins_at) / DIALLED)))
        ended = at >= ends_at
        return Reading(
            status="completed" if ended else "running",
            phase=Phase.ENDED if ended else Phase.RUNNING,
            outcome=Outcome.COMPLETED if ended else None,
            counts={"completed": done, "queued": CALLS - done},
            open_calls=CALLS - done,
            total_contacts=CALLS,
            scheduled_at=starts_at,
        )

    return Kind(name="running for 2 hours", since=starts_at - timedelta(hours=2), show=show)


def spend(kinds: Iterable[Kind], *, begins_at: datetime, lasts: timedelta) -> Spent:
    """Poll each batch by its pace; count what falls into the stretch of time."""
    spent, dice, worked = Spent(), Random(1), time.process_time()
    for row, kind in enumerate(kinds):
        spent.batches[kind.name] += 1
        _follow(kind, row, spent, dice, begins_at=begins_at, ends_at=begins_at + lasts)
    spent.seconds = time.process_time() - worked
    return spent


def _follow(
    kind: Kind, row: int, spent: Spent, dice: Random, *, begins_at: datetime, ends_at: datetime
) -> None:
    watch = Watch(batch=Batch(row=row, source=SOURCE.name, id=f"b{row}", key="key"))
    due_at: datetime | None = kind.since
    while due_at is not None and due_at < ends_at:
        at = poll_time(watch, due_at)
        before, reading = watch.last_poll_at, kind.show(at)
        watch = observe(
            watch, reading, source=SOURCE, interval=PACE.interval, limits=PACE.limits, at=at
        ).watch
        if at >= begins_at:
            spent.polls[kind.name, reading.phase.value] += 1
            if before is not None and kind.show(before) != reading:
                spent.lateness = max(spent.lateness, at - _changed_at(kind, before, at))
        due_at = next_poll_at(watch, PACE, at=at, jitter=dice.uniform(-1, 1))


def _changed_at(kind: Kind, before: datetime, at: datetime) -> datetime:
    """Find, to the second, when a batch ceased to show what it showed before."""
    shown = kind.show(before)
    while at - before > timedelta(seconds=1):
        middle = before + (at - before) / 2
        before, at = (middle, at) if kind.show(middle) == shown else (before, middle)
    return at
