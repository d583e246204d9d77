"""What was found: batches of an account that nobody registered one by one."""

from dataclasses import dataclass
from datetime import datetime
from operator import add
from typing import Final, NamedTuple

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind

FOUND_LIMIT: Final = 10_000
"""Batches that one round may find."""


class ListEntry(NamedTuple):
    """A batch as a list shows it; what the list does not say is None."""

    id: str
    name: str | None = None
    status: str | None = None
    """The provider's word, or what should be one: nobody judges by it."""
    created_at: datetime | None = None


class Entries(NamedTuple):
    """How the entries of lists fared: numbers of them, some in several."""

    number: int = 0
    no_id: int = 0
    """Left out: nobody could ask for these."""
    too_old: int = 0
    """Left out by `max_age`."""
    other_status: int = 0
    """Left out by `statuses`."""
    undated: int = 0
    """Those that should say when they were created, and do not."""
    no_status: int = 0
    """Those that should say how they stand, and do not."""
    unlisted: int = 0
    """Pages where no list was found, not even an empty one."""

    def plus(self, other: "Entries") -> "Entries":
        """Return the sums."""
        return Entries(*map(add, self, other))

    @property
    def skipped(self) -> dict[str, int]:
        """Return how many were left out in all, and by each reason that there was."""
        reasons = {
            "no_id": self.no_id,
            "too_old": self.too_old,
            "other_status": self.other_status,
        }
        told = {reason: number for reason, number in reasons.items() if number}
        return {"skipped": sum(told.values())} | told

    @property
    def unread(self) -> frozenset[str]:
        """Return the keys of `discover` under which nothing usable was found, in no entry."""
        if not self.number:
            return frozenset({"items"} if self.unlisted else ())
        lacking = {"id": self.no_id, "created_at": self.undated, "status": self.no_status}
        return frozenset(key for key, number in lacking.items() if number == self.number)


NO_ENTRIES: Final = Entries()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryAnswer:
    """What one request for a list brought."""

    batches: tuple[ListEntry, ...] = ()
    entries: Entries = NO_ENTRIES
    agent: str | None = None
    """Whose list it is, where each agent has one of its own."""
    failure: PollError | None = None
    """Why it brought nothing, or not all; if it is an agent's list, others of the account may well
    come."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of the batches that it brought."""
        return tuple(batch.id for batch in self.batches)


def too_large(limit: int, things: str) -> PollError:
    """Make the error of lists that hold more than is read of them: the rest is never found."""
    return PollError(FailureKind.TOO_LARGE, 200, reason=f"more than {limit:,} {things}")
