"""The trouble with batches: what may be the matter with one, and how many are how."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from monitor.config.schema import Config
from monitor.core.batch import Phase
from monitor.facts.batch import BatchFacts, Polling, all_batches
from monitor.facts.remedy import name_failures
from monitor.facts.times import write_wait
from monitor.storage.counts import NOT_READ, count_batches
from monitor.storage.database import Database


class Trouble(StrEnum):
    """What may be the matter with a batch that is watched."""

    STALLED = "stalled"
    UNREACHABLE = "unreachable"
    OVERDUE = "overdue"
    FAILING = "failing"
    """Its last poll failed, which may pass."""
    NO_SOURCE = "no source"


_PHASES: Final = (
    *(Phase.RUNNING, Phase.PENDING, Phase.PAUSED, Phase.ENDED, Phase.UNKNOWN),
    NOT_READ,
)
"""In the order in which they are counted."""


def troubles_of(batch: BatchFacts) -> list[Trouble]:
    """Return all that is the matter with a batch."""
    known, failures = batch.watch.known, batch.watch.failures
    unreachable = failures.unreachable_since is not None
    holds = {
        Trouble.STALLED: known is not None and known.stalled_at is not None,
        Trouble.UNREACHABLE: unreachable,
        Trouble.OVERDUE: known is not None and known.is_overdue,
        Trouble.FAILING: failures.kind is not None and not unreachable,
        Trouble.NO_SOURCE: batch.polling is Polling.NO_SOURCE,
    }
    return [trouble for trouble, holds_now in holds.items() if holds_now]


def write_troubles(batch: BatchFacts, *, now: datetime) -> str:
    """Write all of it in short: for how long it stalls or is overdue, why its polls fail."""
    return ", ".join(_write(trouble, batch, now) for trouble in troubles_of(batch))


def _write(trouble: Trouble, batch: BatchFacts, now: datetime) -> str:
    known = batch.watch.known
    match trouble:
        case Trouble.UNREACHABLE:
            return f"{trouble}: {name_failures(batch.watch.failures, read_before=True)}"
        case Trouble.FAILING:
            return batch.last_error_in_short
        case Trouble.NO_SOURCE:
            return trouble
        case Trouble.STALLED | Trouble.OVERDUE:
            since = known and (known.changed_at if known.stalled_at else known.scheduled_at)
            return f"{trouble} {write_wait(now - (since or now))}"
        case never:
            assert_never(never)


@dataclass(kw_only=True)
class BatchCounts:
    """How many batches are in which phase, and in which trouble."""

    number: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)

    def count(self, batch: BatchFacts) -> list[Trouble]:
        """Count one more; return what is the matter with it."""
        known, troubles = batch.watch.known, troubles_of(batch)
        self.number += 1
        self.phases[known.phase if known else NOT_READ] += 1
        self.troubles.update(troubles)
        return troubles

    def write(self) -> str:
        """Write it: `197 running, 106 pending · 59 stalled`."""
        return " · ".join(part for part in (self.write_phases(), self.write_troubles()) if part)

    def write_phases(self) -> str:
        """Write how many are in which phase."""
        return ", ".join(_counted(self.phases, _PHASES)).replace("_", " ")

    def write_troubles(self) -> str:
        """Write how many are in which trouble; empty for none."""
        return ", ".join(_counted(self.troubles, Trouble))


async def take_watched(
    database: Database, config: Config, limit: int
) -> tuple[list[BatchFacts], BatchCounts]:
    """Return so many watched batches, those in trouble first, and a count of all.

    The database counts all and finds those that may be in trouble: a million are soon counted.
    """
    counts = BatchCounts()
    for (_, phase), watched in (await count_batches(database)).items():
        counts.number += watched.number
        counts.phases[phase] += watched.number
    taken = list[BatchFacts]()
    async for batch in all_batches(database, config, suspect=True):
        troubles = troubles_of(batch)
        counts.troubles.update(troubles)
        if troubles and len(taken) < limit:
            taken.append(batch)
    async for batch in all_batches(database, config):
        if len(taken) >= limit:
            break
        if not troubles_of(batch):
            taken.append(batch)
    return taken, counts


def _counted(numbers: Counter[str], words: Iterable[str]) -> Iterator[str]:
    return (f"{numbers[word]:,} {word}" for word in words if numbers[word])
