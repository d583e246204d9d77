"""Times and durations, as a reader takes them in."""

from datetime import UTC, datetime, timedelta

from monitor.core.event import stamp

_UNITS = {
    "day": timedelta(days=1),
    "h": timedelta(hours=1),
    "min": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_BESIDE = {"day": "h", "h": "min"}
"""By unit: the smaller one that is worth saying too."""


def write_time(at: datetime | None) -> str:
    """Write a time as local with its zone: `2026-01-29 09:31:02 CET`; empty for none."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def write_short_time(at: datetime | None) -> str:
    """Write a local time of today without its date."""
    if at is None:
        return ""
    local = at.astimezone()
    if local.date() == datetime.now(UTC).astimezone().date():
        return local.strftime("%H:%M:%S %Z")
    return write_time(at)


def write_clock(at: datetime | None, *, now: datetime) -> str:
    """Write a time by the clock of here and `now`, whose zone is to be said once beside it.

    Today's as `09:31:02`, this year's as `Jan 28 09:31`, an older one as `2025-12-31`.
    """
    if at is None:
        return ""
    today = now.astimezone()
    local = at.astimezone(today.tzinfo)
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%b %e %H:%M" if local.year == today.year else "%Y-%m-%d")


def stamp_if(at: datetime | None) -> str | None:
    """Write a time as JSON has it, in UTC; null for none."""
    return None if at is None else stamp(at)


def write_latency(duration: timedelta) -> str:
    """Write how long a request took: `132 ms`, `2.4 s`."""
    seconds = duration.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def write_wait(wait: timedelta) -> str:
    """Write a time to go by its largest unit, two for hours and days: `12 min`, `3 h 10 min`."""
    wait = max(wait, timedelta())
    for unit, size in _UNITS.items():
        number, rest = divmod(wait, size)
        if number:
            plural = "s" if unit == "day" and number > 1 else ""
            smaller = _BESIDE.get(unit)
            more = smaller and rest // _UNITS[smaller]
            return f"{number} {unit}{plural}" + (f" {more} {smaller}" if more else "")
    return "0 s"
