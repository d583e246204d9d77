"""The pace of a batch: its forecast from the stored snapshots, and how that is written."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from monitor.cli.batch_facts import BatchFacts
from monitor.cli.screen import stamp_if, write_short_time
from monitor.core.batch import progress
from monitor.core.forecast import Forecast, Point, forecast
from monitor.storage.queries import SnapshotView

ENOUGH = 1000
"""Snapshots that a pace, and a timeline, look back to at most."""

_UNITS = (
    ("day", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


def forecast_of(
    batch: BatchFacts, newest: Sequence[SnapshotView], *, missing_daemon: str
) -> Forecast | None:
    """Forecast from a batch's snapshots, the newest first; none for one that nobody reads."""
    watch = batch.watch
    if watch.observed_at is None or missing_daemon or not batch.is_read:
        return None
    points = [
        Point(at=snapshot.at, finished=finished_calls(snapshot), phase=snapshot.phase)
        for snapshot in reversed(newest)
    ]
    return forecast(points, progress(watch.known), at=watch.observed_at)


def finished_calls(snapshot: SnapshotView) -> int | None:
    """Return how many calls had finished; none when nobody counted."""
    return None if snapshot.counts is None else sum(snapshot.counts.values()) - snapshot.open_calls


def write_forecast(found: Forecast | None, *, now: datetime) -> str:
    """Write `25 calls/min, ends about 12:45:10 CET, in 12 min`; an end that is over is left out."""
    if found is None:
        return ""
    pace = found.calls_per_minute
    written = f"{pace:,.0f} calls/min" if pace >= 10 else f"{pace:.2g} calls/min"
    if found.ends_at is None or found.ends_at <= now:
        return written
    wait = write_wait(found.ends_at - now)
    return f"{written}, ends about {write_short_time(found.ends_at)}, in {wait}"


def write_wait(wait: timedelta) -> str:
    """Write a time to go by its largest unit, two for hours and days: `12 min`, `3 h 10 min`."""
    for (unit, size), smaller in zip(_UNITS, (*_UNITS[1:], None), strict=True):
        number, rest = divmod(wait, size)
        if number:
            plural = "s" if unit == "day" and number > 1 else ""
            more = rest // smaller[1] if smaller and unit in ("day", "h") else 0
            return f"{number} {unit}{plural}" + (
                f" {more} {smaller[0]}" if smaller and more else ""
            )
    return "0 s"


def forecast_data(found: Forecast | None) -> dict[str, Any] | None:
    """Lay a forecast out as JSON."""
    if found is None:
        return None
    return {
        "calls_per_minute": round(found.calls_per_minute, 2),
        "ends_at": stamp_if(found.ends_at),
    }
