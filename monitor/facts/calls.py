"""The calls of a batch: how many there are, how they stand, and how many are left open."""

from monitor.core.batch import Counts, Knowledge, Progress, Reading


def write_counts(counts: Counts | None) -> str:
    """Write the calls per status, most first; empty when nobody counted."""
    if counts is None:
        return ""
    most_first = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{number:,} {status}" for status, number in most_first) or "none"


def write_calls(measured: Progress) -> str:
    """Write how many calls of how many are finished: `5/7`; `?/7` where only the total is known."""
    if measured.total is None:
        return ""
    finished = "?" if measured.finished is None else f"{measured.finished:,}"
    return f"{finished}/{measured.total:,}"


def write_percent(measured: Progress) -> str:
    """Write how much of the calls is finished; empty when that is unknown."""
    return "" if measured.percent is None else f"{measured.percent:g}%"


def write_share(measured: Progress) -> str:
    """Write both in short: `5/7 71%`; all but all of the calls are not 100%."""
    percent = "" if measured.percent is None else f"{int(measured.percent)}%"
    return f"{write_calls(measured)} {percent}".rstrip()


def write_progress(measured: Progress) -> str:
    """Write how far the calls are: percent, finished and open calls."""
    if measured.finished is None or measured.open is None:
        return "" if measured.total is None else f"{measured.total:,} calls, none counted yet"
    words = f"{measured.finished:,} finished, {measured.open:,} open"
    if measured.percent is None or measured.total is None:
        return words
    return f"{write_percent(measured)}  {words} of {measured.total:,}"


def write_left_open(known: Knowledge) -> str:
    """Write how many calls an end left open; empty when none is, or it has not settled."""
    if known.settled_at is None or not known.open_calls:
        return ""
    return f"{known.open_calls:,} call{'' if known.open_calls == 1 else 's'} left open"


def write_contacts(known: Knowledge | Reading | None) -> str:
    """Write how many contacts there are; empty when nobody said."""
    if known is None:
        return ""
    totals = {"valid": known.valid_contacts, "in all": known.total_contacts}
    return ", ".join(f"{total:,} {kind}" for kind, total in totals.items() if total is not None)
