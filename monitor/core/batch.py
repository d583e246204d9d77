"""A batch: what a provider shows of it, and everything we know of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from monitor.core.failure import FailureKind
from monitor.core.schedule import Schedule
from monitor.core.value import value

Counts = Mapping[str, int]
"""Calls per raw call status, as the provider spells it."""

Course = tuple[tuple[int, int], ...]
"""How many calls had finished by when (time in milliseconds since 1970, number): oldest first."""

NAME_LIMIT = 256
STATUS_LIMIT = 64
COUNTS_LIMIT = 32
"""Bounds of names (characters), statuses (bytes) and counts (entries): bodies stay under 64 KiB."""


class Phase(StrEnum):
    """In our word where a batch stands."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How an ended batch ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SettledBy(StrEnum):
    """What an end was believed by."""

    COUNTS = "counts"
    """A reading whose calls are all over."""
    CONFIRMED = "confirmed"
    """Two readings by which nobody is dialled or spoken any more."""
    SILENCE = "silence"
    """Calls stay open and have not moved for a long while."""


class Origin(StrEnum):
    """Who registered a batch."""

    FILE = "file"
    ADDED = "added"
    DISCOVERED = "discovered"


@value
class Reading:
    """What one successful poll returned, in our words."""

    status: str
    phase: Phase
    outcome: Outcome | None = None
    counts: Counts | None = None
    open_calls: int = 0
    """Sum of the counts whose call status is not final."""
    parked_calls: int = 0
    """The open ones that wait for a later time by plan: `scheduled`, `rescheduled`."""
    live_calls: int = 0
    """The open ones that somebody dials or speaks: neither parked nor still in a queue."""
    tells_live: bool = True
    """False: nobody says which of the open calls are live, but for those that are parked."""
    counted: bool = True
    """False: nobody can see whether calls move; it gives no counts, or they were not read now."""
    uncounted: FailureKind | None = None
    """Why this time the counts could not be read, though the status could."""
    unknown_call_statuses: tuple[str, ...] = ()
    """Call statuses we do not know: they count as open and are only logged."""
    total_contacts: int | None = None
    least_contacts: int | None = None
    """Where the counts may lack some calls: as many as there are at least; the total is the most
    that was ever seen."""
    valid_contacts: int | None = None
    name: str | None = None
    scheduled_at: datetime | None = None
    schedule: Schedule | None = None
    """The hours in which it dials; None: at any time, or as the config says."""


@value
class Batch:
    """Identify a registered batch; `id` is the provider's, `row` is ours."""

    row: int
    source: str
    id: str
    key: str
    """Random registration key: keeps event ids apart between installations."""
    origin: Origin = Origin.ADDED
    labels: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    """Name given at registration; it wins over the provider's."""
    registered_at: datetime | None = None
    """When it was registered, or woken after it was forgotten."""
    found_first: bool = False
    """It was in the lists before the first complete round of discovery had ended."""


@value
class Knowledge:
    """What the readings so far have taught us."""

    status: str
    phase: Phase
    outcome: Outcome | None
    counts: Counts | None
    """Last known ones: readings without counts leave them standing."""
    open_calls: int
    parked_calls: int = 0
    live_calls: int = 0
    counted: bool = True
    total_contacts: int | None
    valid_contacts: int | None
    name: str | None
    scheduled_at: datetime | None
    schedule: Schedule | None = None
    changed_at: datetime
    """Last time that status, counts or totals moved."""
    phase_since: datetime
    started_at: datetime | None
    """First reading that was not pending; none if it had already ended when first seen."""
    born_final: bool = False
    """Its status was final at the first reading and always since."""
    unconfirmed_since: datetime | None = None
    """First of the readings in a row by which it is final and nobody is dialled or spoken."""
    settled_at: datetime | None = None
    settled_by: SettledBy | None = None
    """None for what settled before this was noted."""
    unknown_statuses: tuple[str, ...] = ()
    """Status words already reported as unknown."""
    begun_until: datetime | None = None
    """When it was last seen to wait again after it had begun: what comes then is a rerun."""
    stalled_at: datetime | None = None
    """When it was reported that nothing moves; None again once something does."""
    overdue_at: datetime | None = None
    """When a start was last reported as overdue: no start before this is reported again."""
    course: Course = ()
    """How finished calls grew lately: what a forecast is made of."""

    @property
    def begun(self) -> bool:
        """Return whether dialling has begun: some status words come late."""
        if self.phase is not Phase.PENDING or self.live_calls > 0:
            return True
        return sum((self.counts or {}).values()) > self.open_calls

    @property
    def is_overdue(self) -> bool:
        """Return whether its start was reported as overdue and has not come since."""
        return self.told_overdue and self.settled_at is None and not self.begun

    @property
    def told_overdue(self) -> bool:
        """Return whether that was reported of this very start: it may be missing for a while."""
        told_at, start = self.overdue_at, self.scheduled_at
        return told_at is not None and start is not None and told_at >= start


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Count the failed polls of one batch since its last reading."""

    since: datetime | None = None
    """The first failed poll since the last reading."""
    polls: int = 0
    counted_since: datetime | None = None
    """Failed polls since the last reading, or since the account last recovered."""
    refusals: int = 0
    """In a row, by 400, 403, 404, 410 or 422."""
    forbidden_streak: int = 0
    """The account's streak of 403s that the last refusals belong to, 0 for none."""
    forbidden_refusals: int = 0
    """How many of the refusals belong to that streak."""
    kind: FailureKind | None = None
    status_code: int | None = None
    reason: str | None = None
    """What else there is to say of the last one, in a few words: how large an answer was."""
    unreachable_since: datetime | None = None


NO_FAILURES: Final = Failures()


@value
class Watch:
    """Join a registered batch with all that was learned: the state that observation moves."""

    batch: Batch
    sequence: int = 0
    snapshots: int = 0
    known: Knowledge | None = None
    observed_at: datetime | None = None
    """Time of the last reading."""
    failures: Failures = NO_FAILURES
    last_poll_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Measure a batch: calls, and percent of the total (0-100, one decimal)."""

    total: int | None
    finished: int | None
    open: int | None
    percent: float | None


def progress(known: Knowledge | Reading | None) -> Progress:
    """Measure against valid contacts, else total contacts, else the sum of the counts.

    The sum may exceed the total (a documented Bolna answer shows 26 calls of 11), so percent
    is clamped; it is none without a total or with a total of zero.
    """
    if known is None:
        return Progress(total=None, finished=None, open=None, percent=None)
    calls = None if known.counts is None else sum(known.counts.values())
    total = next(
        (t for t in (known.valid_contacts, known.total_contacts, calls) if t is not None), None
    )
    if calls is None:
        return Progress(total=total, finished=None, open=None, percent=None)
    finished = calls - known.open_calls
    percent = round(min(100.0, 100 * finished / total), 1) if total else None
    return Progress(total=total, finished=finished, open=known.open_calls, percent=percent)


_SEPARATORS = re.compile(r"[-_ ]")


def normalise(word: str) -> str:
    """Reduce a provider's word to what is compared: no case, `-`, `_` or space."""
    return _SEPARATORS.sub("", word).casefold()
