"""A round of discovery: what it brought, and what the log says of it, each thing once."""

from dataclasses import dataclass, field, replace

import structlog

from monitor.core.discovery import FOUND_LIMIT, NO_ENTRIES, DiscoveryAnswer, Entries, too_large
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.core.source import is_answer

log = structlog.stdlib.get_logger()


@dataclass(slots=True, kw_only=True)
class DiscoveryRound:
    """Count what a round brings."""

    new: int = 0
    seen: int = 0
    entries: Entries = NO_ENTRIES
    answered: bool = False
    whole: bool = False
    """Every list was asked for, and one came."""
    failures: dict[str | None, PollError] = field(default_factory=dict)
    """By agent; None: of the account as a whole, which ends the round."""

    @property
    def failure(self) -> PollError | None:
        """Return the first one."""
        return next(iter(self.failures.values()), None)

    @property
    def complete(self) -> bool:
        """Return whether all that there is was found: a list that is refused holds none of ours.

        One that is too large may.
        """
        kinds = {failure.kind for failure in self.failures.values()}
        return self.whole and FailureKind.TOO_LARGE not in kinds and all(map(is_answer, kinds))

    def add(self, found: DiscoveryAnswer) -> DiscoveryAnswer:
        """Take one answer; return it as far as it goes: enough batches end the round."""
        room = FOUND_LIMIT - self.new - self.seen
        if len(found.batches) > room:
            failure = too_large(FOUND_LIMIT, "batches")
            found = replace(found, batches=found.batches[:room], agent=None, failure=failure)
        self.entries = self.entries.plus(found.entries)
        if found.failure is None:
            self.answered = True
        else:
            self.failures[found.agent] = found.failure
        return found

    def end(self) -> None:
        """Take it that no list was left out, unless the account failed."""
        self.whole = self.answered and None not in self.failures


@dataclass(slots=True, kw_only=True)
class DiscoveryLog:
    """Know what the log has said of an account's lists, to say only what is new."""

    source: str
    failing: frozenset[str | None] = frozenset()
    """The agents whose lists fail; None: those of the account."""
    _skipped: dict[str, int] | None = None
    _unread: frozenset[str] = frozenset()

    def log_failures(self, this_round: DiscoveryRound) -> None:
        """Log whose lists begin to fail, and whose do no longer."""
        for agent, failure in this_round.failures.items():
            if agent not in self.failing:
                log.warning(
                    "discovery.failed",
                    **self._named(agent),
                    kind=failure.kind,
                    **failure.details,
                    status_code=failure.status_code,
                )
        failing = frozenset(this_round.failures)
        if None in failing:  # some were not asked
            failing |= self.failing
        for agent in self.failing - failing:
            log.info("discovery.recovered", **self._named(agent))
        self.failing = failing

    def log_found(self, this_round: DiscoveryRound) -> None:
        """Log what is new, what the first whole round saw, and when it leaves out other numbers."""
        skipped = this_round.entries.skipped
        changed = this_round.whole and skipped != self._skipped
        if changed:
            self._skipped = skipped
        if this_round.new or changed:
            counts = {"new": this_round.new, "seen": this_round.seen, **skipped}
            log.info("discovery.found", source=self.source, **counts)

    def log_unread(self, this_round: DiscoveryRound) -> None:
        """Log which keys of `discover` begin to find nothing in all that the lists hold."""
        if not this_round.answered:
            return
        unread = this_round.entries.unread
        for key in sorted(unread - self._unread):
            log.warning("discovery.unread", source=self.source, key=key)
        self._unread = unread

    def _named(self, agent: str | None) -> dict[str, str]:
        return {"source": self.source} | ({} if agent is None else {"agent": agent})
