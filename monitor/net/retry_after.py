"""The header `Retry-After`: whole seconds or a date."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from monitor.core.pause import LONGEST_RETRY_AFTER


def parse_retry_after(value: str | None, *, at: datetime) -> timedelta | None:
    """Read whole seconds or an HTTP date (RFC 9110, 10.2.3); the wait is 0 to 1 h, else none."""
    if value is None:  # as nearly always
        return None
    text = value.strip()
    if re.fullmatch(r"-?[0-9]+", text):
        # Longer numbers are beyond the hour, and int() refuses more than 4300 digits.
        seconds = int(text) if len(text) <= 9 else 3600 - 3600 * text.startswith("-")
        wait = timedelta(seconds=seconds)
    else:
        date = _parse_date(text)
        if date is None:
            return None
        wait = date - at
    return max(timedelta(), min(wait, LONGEST_RETRY_AFTER))


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text[:64])
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
