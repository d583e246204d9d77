"""The pace of a batch: calls a minute, and when they end."""

from datetime import datetime

from monitor.core.batch import Knowledge
from monitor.core.forecast import Forecast, write_rate
from monitor.facts.times import write_short_time, write_wait


def write_forecast(found: Forecast | None, *, now: datetime, short: bool = False) -> str:
    """Write `25 calls/min, ends about 12:45:10 CET, in 12 min`, or `25/min, ends in 12 min`.

    An end that is unknown or over is left out.
    """
    if found is None:
        return ""
    pace = f"{write_rate(found.calls_per_minute)}{'' if short else ' calls'}/min"
    if found.ends_at is None or found.ends_at <= now:
        return pace
    about = "" if short else f" about {write_short_time(found.ends_at)},"
    return f"{pace}, ends{about} in {write_wait(found.ends_at - now)}"


def write_course(known: Knowledge, found: Forecast | None, *, now: datetime) -> str:
    """Write in short what is to come: `ends in 12 min`, else `25/min`, or `starts in 3 h`."""
    if found is not None:
        return write_forecast(found, now=now, short=True).rpartition(", ")[2]
    start = known.scheduled_at
    return f"starts in {write_wait(start - now)}" if start and start > now else ""
