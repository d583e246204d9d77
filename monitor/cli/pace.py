"""The pace of a batch: how its forecast, and how long something lasts, is written."""

from datetime import datetime, timedelta

from monitor.cli.screen import write_short_time
from monitor.core.forecast import Forecast, write_rate

_UNITS = (
    ("day", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


def write_forecast(found: Forecast | None, *, now: datetime) -> str:
    """Write `25 calls/min, ends about 12:45:10 CET, in 12 min`; an end that is over is left out."""
    if found is None:
        return ""
    written = f"{write_rate(found.calls_per_minute)} calls/min"
    if found.ends_at is None or found.ends_at <= now:
        return written
    wait = write_wait(found.ends_at - now)
    return f"{written}, ends about {write_short_time(found.ends_at)}, in {wait}"


def write_wait(wait: timedelta) -> str:
    """Write a time to go by its largest unit, two for hours and days: `12 min`, `3 h 10 min`."""
    wait = max(wait, timedelta())
    for (unit, size), smaller in zip(_UNITS, (*_UNITS[1:], None), strict=True):
        number, rest = divmod(wait, size)
        if number:
            plural = "s" if unit == "day" and number > 1 else ""
            more = rest // smaller[1] if smaller and unit in ("day", "h") else 0
            return f"{number} {unit}{plural}" + (
                f" {more} {smaller[0]}" if smaller and more else ""
            )
    return "0 s"
