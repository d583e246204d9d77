"""What an event's `data` says of its batch, source or receiver."""

from datetime import datetime
from typing import Final

from monitor.core.batch import Batch, Knowledge, Watch, progress
from monitor.core.body import (
    BatchData,
    FailureData,
    ForecastData,
    ProgressData,
    ReceiverData,
    SourceData,
)
from monitor.core.event import CONDITION_NAMES, Stamp, Subject, SubjectKind, stamp
from monitor.core.failure import FailureKind
from monitor.core.forecast import forecast
from monitor.core.knowledge import changes_between
from monitor.core.source import Source

LABELS_LIMIT = 32

_SEQUENCE: Final = 0
_OBSERVED_AT: Final = Stamp("")
"""Both are filled in when the event is composed."""


def batch_subject(batch: Batch) -> Subject:
    """Name a batch as an event's subject."""
    return Subject(
        kind=SubjectKind.BATCH,
        row=batch.row,
        key=batch.key,
        source_path=f"/sources/{batch.source}",
        name=batch.id,
    )


def source_subject(source: Source) -> Subject:
    """Name a source as an event's subject."""
    return Subject(
        kind=SubjectKind.SOURCE,
        row=source.row,
        key=source.key,
        source_path=f"/sources/{source.name}",
        name=source.name,
    )


def receiver_subject(row: int, name: str, key: str) -> Subject:
    """Name a receiver as an event's subject."""
    return Subject(
        kind=SubjectKind.RECEIVER, row=row, key=key, source_path=f"/receivers/{name}", name=name
    )


def labels_of(batch: Batch, source: Source) -> dict[str, str]:
    """Join the source's labels and the batch's, which win; at most 32 stay."""
    joined = {**batch.labels, **{k: v for k, v in source.labels.items() if k not in batch.labels}}
    return dict(list(joined.items())[:LABELS_LIMIT])


def batch_data(source: Source, before: Watch, after: Watch) -> BatchData:
    """Lay out a batch's new state beside the last reading's; what is unknown is null."""
    batch, known, last = after.batch, after.known, before.known
    name = batch.name or (known.name if known else None)
    changes = changes_between(last.counts, known.counts) if last and known else {}
    return {
        "batch": {
            "source": source.name,
            "provider": source.provider,
            "id": batch.id,
            "name": name,
            "labels": labels_of(batch, source),
        },
        "sequence": _SEQUENCE,
        "status": known.status if known else None,
        "previous_status": last.status if last else None,
        "phase": known.phase if known else None,
        "previous_phase": last.phase if last else None,
        "outcome": known.outcome if known else None,
        "settled": known.settled_at is not None if known else None,
        "counts": _counts(known),
        "previous_counts": _counts(last),
        "changes": changes,
        "total_contacts": known.total_contacts if known else None,
        "valid_contacts": known.valid_contacts if known else None,
        "progress": _progress(known),
        "conditions": _conditions(after),
        "forecast": forecast_data(after),
        "scheduled_at": stamp(known.scheduled_at) if known and known.scheduled_at else None,
        "observed_at": _OBSERVED_AT,
        "previous_observed_at": stamp(before.observed_at) if before.observed_at else None,
    }


def _progress(known: Knowledge | None) -> ProgressData:
    measured = progress(known)
    return {
        "total": measured.total,
        "finished": measured.finished,
        "open": measured.open,
        "percent": measured.percent,
    }


def _conditions(watch: Watch) -> list[str]:
    """Name what is the matter with a batch, or was when it was first seen."""
    known = watch.known
    holds = {
        "stalled": known is not None and known.stalled_at is not None,
        "unreachable": watch.failures.unreachable_since is not None,
        "overdue": known is not None and known.is_overdue,
        "late": known is not None and known.born_final,
    }
    return [name for name in CONDITION_NAMES if holds[name]]


def forecast_data(watch: Watch) -> ForecastData | None:
    """Lay out pace and estimated end as of the last reading; null when neither can be computed."""
    if watch.known is None or watch.observed_at is None or watch.failures.unreachable_since:
        return None
    found = forecast(watch.known, at=watch.observed_at)
    if found is None:
        return None
    return {
        "calls_per_minute": round(found.calls_per_minute, 2),
        "ends_at": stamp(found.ends_at) if found.ends_at else None,
    }


def source_data(source: Source) -> SourceData:
    """Lay out a source."""
    return {
        "source": {"name": source.name, "provider": source.provider, "labels": dict(source.labels)},
        "sequence": _SEQUENCE,
        "observed_at": _OBSERVED_AT,
    }


def receiver_data(name: str, kind: str) -> ReceiverData:
    """Lay out a receiver."""
    return {
        "receiver": {"name": name, "kind": kind},
        "sequence": _SEQUENCE,
        "observed_at": _OBSERVED_AT,
    }


def failure_data(
    kind: FailureKind | None, status_code: int | None, since: datetime | None
) -> FailureData:
    """Lay out why polls fail and since when; never the provider's own text."""
    return {
        "error": {"kind": kind, "status_code": status_code},
        "since": stamp(since) if since else None,
    }


def _counts(known: Knowledge | None) -> dict[str, int] | None:
    return None if known is None or known.counts is None else dict(known.counts)
