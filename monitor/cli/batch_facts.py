"""What a command tells of a batch: the JSON of one, and what matchers see of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.cli.session import unknown
from monitor.config.schema import Config
from monitor.core.batch import Watch
from monitor.core.batch_id import check_batch_id
from monitor.core.errors import UnknownNameError
from monitor.core.event import facts, stamp
from monitor.core.payload import batch_data, failure_data
from monitor.core.source import Source
from monitor.storage.database import Database
from monitor.storage.queries import BatchView, has_batches, read_batch

FORGOTTEN = "no longer polled: it settled, or was unreachable, long ago; `monitor add` wakes it"


def sources_of(config: Config) -> dict[str, Source]:
    """Return the config's sources as core knows them; rows and keys play no part here."""
    return {
        name: Source(row=0, key="", name=name, provider=settings.provider, labels=settings.labels)
        for name, settings in config.sources.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """Join a batch with its source, which the config may have no longer."""

    view: BatchView
    source: Source | None
    data: Mapping[str, Any] = field(init=False, repr=False)
    """The batch as the events about it lay it out."""

    def __post_init__(self) -> None:
        watch = self.view.watch
        source = self.source or Source(row=0, key="", name=watch.batch.source, provider="")
        object.__setattr__(self, "data", batch_data(source, watch, watch, changes={}))

    @property
    def watch(self) -> Watch:
        """Return the state that observation moves."""
        return self.view.watch

    @property
    def facts(self) -> Mapping[str, str]:
        """Return what matchers see: what they see of an event, without a type."""
        return facts({"type": "", "data": self.data})

    @property
    def polled(self) -> str:
        """Say whether it is polled: `polled`, `removed`, `no source` or `forgotten`."""
        if not self.view.watched:
            return "removed"
        if self.source is None:
            return "no source"
        return "forgotten" if self.view.next_poll_at is None else "polled"

    @property
    def next_poll_at(self) -> datetime | None:
        """Return when it is read next; none when it is not."""
        return self.view.next_poll_at if self.polled == "polled" else None

    def document(self) -> dict[str, Any]:
        """Lay the batch out as JSON; what is unknown is null."""
        data, watch = self.data, self.watch
        about = data["batch"]
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
            "counts": data["counts"],
            "total_contacts": data["total_contacts"],
            "valid_contacts": data["valid_contacts"],
            "progress": data["progress"],
            "scheduled_at": data["scheduled_at"],
            "observed_at": _stamp(watch.observed_at),
            "last_poll_at": _stamp(watch.last_poll_at),
            "last_error": _last_error(watch),
            "unreachable_since": _stamp(watch.failures.unreachable_since),
            "polled": self.polled,
            "next_poll_at": _stamp(self.next_poll_at),
        }


async def find_batch(database: Database, config: Config, source: str, batch_id: str) -> BatchFacts:
    """Return a registered batch, removed or not; raise UnknownNameError that says what to do."""
    view = await read_batch(database, source, batch_id)
    if view is not None:
        return BatchFacts(view=view, source=sources_of(config).get(source))
    if source not in config.sources and not await has_batches(database, source):
        raise unknown("source", source, config.sources)
    try:
        check_batch_id(batch_id)
    except ValueError as error:
        raise UnknownNameError(f"{batch_id!r}: {error}") from None
    adds = f"`monitor add {source} ID` watches one, " if source in config.sources else ""
    raise UnknownNameError(
        f"{source} has no batch {batch_id!r}: {adds}"
        f"`monitor list 'source = {source}'` shows those it has"
    )


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _last_error(watch: Watch) -> dict[str, Any] | None:
    failures = watch.failures
    if failures.kind is None:
        return None
    laid_out = failure_data(failures.kind, failures.status_code, failures.since)
    return {**laid_out["error"], "since": laid_out["since"]}
