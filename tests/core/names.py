"""The names that tests of observation use: times, and types of events."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)
MOMENT = timedelta(milliseconds=1)
STILL = timedelta(minutes=15)
FIRST, COUNTS, STATUS, UNKNOWN = (
    "batch.first_seen",
    "batch.counts_changed",
    "batch.status_changed",
    "batch.status_unknown",
)
COMPLETED, FAILED, CANCELLED = "batch.completed", "batch.failed", "batch.cancelled"
STALLED, PROGRESSING, OVERDUE = "batch.stalled", "batch.progressing", "batch.overdue"
REOPENED, UNREACHABLE, REACHABLE = "batch.reopened", "batch.unreachable", "batch.reachable"
ENDS = {COMPLETED, FAILED, CANCELLED}
