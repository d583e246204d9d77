"""The daemon as other commands see it: alive, or not seen for a while."""

from datetime import datetime, timedelta
from typing import Final

from monitor.facts.times import write_short_time
from monitor.storage.database import Database
from monitor.storage.instances import daemon_seen_at

ALIVE_WITHIN: Final = timedelta(minutes=2, seconds=30)
"""Each says so once a minute: two that fail to come may be the database's fault."""


def is_alive(seen_at: datetime, *, now: datetime) -> bool:
    """Return whether a daemon that was seen then is alive."""
    return now - seen_at <= ALIVE_WITHIN


async def missing_daemon(database: Database) -> str:
    """Write that no daemon is alive and what to do; empty when one is."""
    seen_at = await daemon_seen_at(database)
    if seen_at is None:
        return "no daemon is alive: `monitor run` starts one"
    if is_alive(seen_at, now=await database.now()):
        return ""
    since = write_short_time(seen_at)
    return f"no daemon is alive: the last was seen at {since}; `monitor run` starts one"
