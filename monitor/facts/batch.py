"""A batch beside its source: whether it is polled, what fails, its JSON, what matchers see."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from monitor.config.schema import Config
from monitor.core.batch import Watch
from monitor.core.errors import UnknownNameError
from monitor.core.event import facts
from monitor.core.forecast import Forecast, forecast
from monitor.core.payload import batch_data
from monitor.core.source import Source
from monitor.facts.batch_id import SHORTEST, whole_id
from monitor.facts.names import check_id, check_known
from monitor.facts.remedy import describe_failures, name_failures
from monitor.facts.times import stamp_if
from monitor.storage.batches.read import (
    BatchView,
    has_batches,
    read_batch,
    suspect_batches,
    watched_batches,
)
from monitor.storage.database import Database
from monitor.storage.sources import SourceRow, all_sources


def sources_of(config: Config) -> dict[str, Source]:
    """Return the config's sources as core knows them; rows and keys play no part here."""
    return {
        name: Source(row=0, key="", name=name, provider=settings.provider, labels=settings.labels)
        for name, settings in config.sources.items()
    }


class Polling(StrEnum):
    """Whether a batch is polled, and why not."""

    POLLED = "polled"
    REMOVED = "removed"
    NO_SOURCE = "no source"
    FORGOTTEN = "forgotten"


FORGOTTEN: Final = (
    "no longer polled: it settled, or was unreachable, long ago; `monitor add` wakes it"
)
NOT_POLLED: Final = {
    Polling.REMOVED: "removed; `monitor add` watches it again",
    Polling.NO_SOURCE: "no source: the config has none of this name, so it is not polled",
    Polling.FORGOTTEN: f"forgotten: {FORGOTTEN}",
}
"""Why a batch is not polled, and what to do about it."""


@dataclass(frozen=True, kw_only=True)
class BatchFacts:
    """A batch beside its source, which the config may have no longer."""

    view: BatchView
    source: Source | None
    account: SourceRow | None
    """How the source fares; none before a daemon knew it."""

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """Lay the batch out as the events about it do."""
        watch = self.view.watch
        source = self.source or Source(row=0, key="", name=watch.batch.source, provider="")
        return batch_data(source, watch, watch)

    @property
    def watch(self) -> Watch:
        """Return the state that observation moves."""
        return self.view.watch

    @property
    def name(self) -> str:
        """Return what it is called; empty when nobody named it."""
        known = self.watch.known
        return self.watch.batch.name or (known and known.name) or ""

    @property
    def facts(self) -> Mapping[str, str]:
        """Return what matchers see: what they see of an event, without a type."""
        return facts({"type": "", "data": self.data})

    @property
    def polling(self) -> Polling:
        """Return whether it is polled, and why not."""
        if not self.view.watched:
            return Polling.REMOVED
        if self.source is None:
            return Polling.NO_SOURCE
        return Polling.FORGOTTEN if self.view.next_poll_at is None else Polling.POLLED

    @property
    def source_fails(self) -> bool:
        """Return whether the whole account fails; then other batches probe it in turn."""
        return self.account is not None and self.account.health.failing_since is not None

    @property
    def last_error(self) -> str:
        """Write why its polls fail, and what to do while it was never read; empty if they work."""
        return describe_failures(
            self.watch.failures,
            provider=self.account.provider if self.account else "",
            read_before=self.watch.known is not None,
        )

    @property
    def last_error_in_short(self) -> str:
        """Write why its polls fail without what to do; empty if they work."""
        return name_failures(self.watch.failures, read_before=self.watch.known is not None)

    @property
    def next_poll_at(self) -> datetime | None:
        """Return when it is read next, at the earliest; none when it is not."""
        due_at = self.view.next_poll_at
        if self.polling is not Polling.POLLED or due_at is None:
            return None
        blocked_until = self.account and self.account.blocked_until
        return max(due_at, blocked_until) if blocked_until else due_at

    def forecast(self, missing_daemon: str) -> Forecast | None:
        """Return pace and end as of the last reading; none for a batch that nobody reads."""
        known, at = self.watch.known, self.watch.observed_at
        fails = self.source_fails or self.watch.failures.kind is not None
        if missing_daemon or fails or self.polling is not Polling.POLLED:
            return None
        return None if known is None or at is None else forecast(known, at=at)

    def document(self, missing_daemon: str) -> dict[str, Any]:
        """Lay the batch out as JSON; what is unknown is null."""
        data, watch = self.data, self.watch
        about, known = data["batch"], watch.known
        stalled = known is not None and known.stalled_at is not None
        return {
            "source": about["source"],
            "provider": about["provider"] or None,
            "id": about["id"],
            "name": about["name"],
            "origin": watch.batch.origin.value,
            "labels": about["labels"],
            "status": data["status"],
            "phase": data["phase"],
            "outcome": data["outcome"],
            "settled": data["settled"],
            "settled_by": known.settled_by if known else None,
            "counts": data["counts"],
            "total_contacts": data["total_contacts"],
            "valid_contacts": data["valid_contacts"],
            "progress": data["progress"],
            "forecast": data["forecast"] if self.forecast(missing_daemon) else None,
            "stalled_since": stamp_if(known.changed_at) if known and stalled else None,
            "overdue": known is not None and known.is_overdue,
            "scheduled_at": data["scheduled_at"],
            "observed_at": stamp_if(watch.observed_at),
            "last_poll_at": stamp_if(watch.last_poll_at),
            "last_error": _last_error(watch),
            "unreachable_since": stamp_if(watch.failures.unreachable_since),
            "polled": self.polling.value,
            "next_poll_at": stamp_if(self.next_poll_at),
        }


async def all_batches(
    database: Database, config: Config, *, suspect: bool = False
) -> AsyncIterator[BatchFacts]:
    """Yield the batches that are watched, or those of them that may be in trouble, newest first."""
    sources, accounts = sources_of(config), await all_sources(database)
    found = suspect_batches(database, sources) if suspect else watched_batches(database)
    async for view in found:
        name = view.watch.batch.source
        yield BatchFacts(view=view, source=sources.get(name), account=accounts.get(name))


async def find_batch(database: Database, config: Config, source: str, batch_id: str) -> BatchFacts:
    """Return a registered batch, removed or not, whose id may be only begun.

    Raises UnknownNameError that says what to do.
    """
    view = await read_batch(database, source, await whole_id(database, source, batch_id))
    if view is not None:
        account = (await all_sources(database)).get(source)
        return BatchFacts(view=view, source=sources_of(config).get(source), account=account)
    if not await has_batches(database, source):
        check_known("source", source, config.sources)
    check_id(batch_id)
    adds = f"`monitor add {source} ID` watches one, " if source in config.sources else ""
    needs = f" (the beginning of an id needs {SHORTEST} characters)"
    short = needs if len(batch_id) < SHORTEST else ""
    raise UnknownNameError(
        f"{source} has no batch {batch_id!r}{short}: {adds}"
        f"`monitor list 'source = {source}'` shows those it has"
    )


def _last_error(watch: Watch) -> dict[str, Any] | None:
    failures = watch.failures
    if failures.kind is None:
        return None
    return {
        "kind": failures.kind,
        "status_code": failures.status_code,
        "reason": failures.reason,
        "since": stamp_if(failures.since),
    }
