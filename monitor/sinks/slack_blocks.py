"""What an event looks like in Slack: a pure function from its document to a message."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from monitor.core.event import Document
from monitor.core.forecast import write_rate
from monitor.sinks.mrkdwn import date, duration, inert, join, units
from monitor.sinks.slack_phrases import HEADLINES, LASTING, LEFT_OPEN, REMEDIES, SOURCE_REMOVED

HEADER_LIMIT: Final = 150
SECTION_LIMIT: Final = 2800
TEXT_LIMIT: Final = 2000
"""Slack's own: 150, 3000 a section, and some 13,000 over all, in UTF-16 code units."""

_BAR_CELLS: Final = 20
_LABELS_SHOWN: Final = 10
_ABOUT_CALLS: Final = frozenset({"batch.counts_changed", "batch.reopened"})
_ENDS_OF_TROUBLE: Final = frozenset({"batch.reachable", "source.recovered"})


def message(document: Document) -> dict[str, Any]:
    """Lay out one event as the payload of an incoming webhook.

    Without `blocks` it is still a whole message. Slack never gets markup that strangers wrote.
    """
    data = document["data"]
    sections = (_facts(document), _calls(data))
    return {
        "text": _summary(document),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": _headline(document)}},
            *({"type": "section", "text": _mrkdwn(text)} for text in sections if text),
            {"type": "context", "elements": [_mrkdwn(_context(document))]},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: Slack makes no links of addresses and names that stand in the text.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _what(document: Document) -> str:
    what = _happened(document)
    return f"{HEADLINES['monitor.test']}: {what}" if document["data"].get("test") else what


def _happened(document: Document) -> str:
    if document["data"].get("removed"):
        return SOURCE_REMOVED
    return HEADLINES.get(document["type"]) or inert(document["type"], 64)


def _name(document: Document) -> str:
    """Return a batch's name, or else its id; a source's and a receiver's name."""
    batch: Mapping[str, Any] = document["data"].get("batch") or {}
    return str(batch.get("name") or document["subject"]).strip() or "(no name)"


def _headline(document: Document) -> str:
    what = f"{_what(document)}: "
    return what + inert(_name(document), HEADER_LIMIT - units(what))


def _summary(document: Document) -> str:
    """Say it all in one line: what notifications show, and screens that know no blocks.

    A telephone shows its beginning only: what is new stands there, the id at the end.
    """
    data = document["data"]
    parts = [f"{_what(document)}: {inert(_name(document), 300)}"]
    parts += [_trouble(document, dated=False), _lasting(document, dated=False), _left_open(data)]
    if batch := data.get("batch"):
        origin = f"batch {inert(batch['id'], 300)} of {inert(batch['source'], 100)}"
        parts += [_status(data), _percent(data), _finished(data), _rate(data), origin]
    return join([part for part in parts if part], separator=" · ", limit=TEXT_LIMIT)


def _facts(document: Document) -> str:
    """Say what the headline leaves open: why, from what to what, how long it took."""
    data = document["data"]
    whole = inert(_name(document), 400)
    lines = ["" if _headline(document).endswith(whole) else f"*{whole}*"]
    lines += [_trouble(document), _remedy(document), _lasting(document)]
    lines += [_status_line(document), _ending(data), _left_open(data), _unknown_words(data)]
    if document["type"] == "monitor.test":
        lines.append("This receiver works: events that its routes match arrive here.")
    if data.get("test"):
        lines.append("An example that `monitor test` sends: nothing of it has happened.")
    return join([line for line in lines if line], separator="\n", limit=SECTION_LIMIT)


def _status_line(document: Document) -> str:
    data = document["data"]
    status = _status(data)
    if "batch" not in data or (document["type"] in _ABOUT_CALLS and not _moved(data)):
        return ""
    if document["type"] == "batch.unreachable":
        return f"Last known status: *{status}*" if status else "It was never read: is the id right?"
    return f"Status: *{status}*" if status else ""


def _labels(labels: Mapping[str, str]) -> str:
    shown = [f"{inert(name, 63)}: {inert(value, 100)}" for name, value in labels.items()]
    more = [f"and {len(shown) - _LABELS_SHOWN} more"] if len(shown) > _LABELS_SHOWN else []
    return " · ".join(shown[:_LABELS_SHOWN] + more)


def _status(data: Document) -> str:
    now, before = data.get("status"), data.get("previous_status")
    if now is None:
        return ""
    moved = f"{_word(before or '')} → {_word(now)}" if _moved(data) else _word(now)
    phase = data.get("phase")
    return f"{moved} ({phase})" if phase and phase != now.casefold() else moved


def _moved(data: Document) -> bool:
    return data.get("previous_status") not in (None, data.get("status"))


def _word(status: str) -> str:
    return inert(status, 100) or "(empty)"


def _calls(data: Document) -> str:
    amounts = " · ".join(filter(None, (_finished(data), _totals(data))))
    lines = [_bar(data), amounts, _pace(data)]
    room = SECTION_LIMIT - sum(map(units, lines)) - len(lines)
    lines.append(join(_counts(data), separator=" · ", limit=room))
    return "\n".join(line for line in lines if line)


def _bar(data: Document) -> str:
    percent = (data.get("progress") or {}).get("percent")
    if percent is None:
        return ""
    filled = int(percent / 100 * _BAR_CELLS)
    return f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {_percent(data)}"


def _percent(data: Document) -> str:
    percent = (data.get("progress") or {}).get("percent")
    return "" if percent is None else f"{percent:g} %"


def _finished(data: Document) -> str:
    progress = data.get("progress") or {}
    finished, total = progress.get("finished"), progress.get("total")
    if finished is None:
        return ""
    return f"{finished:,}{f' of {total:,}' if total else ''} calls finished"


def _totals(data: Document) -> str:
    """Say what the bar does not: how many contacts are none, or all there is to know."""
    valid, everybody = data.get("valid_contacts"), data.get("total_contacts")
    if valid is not None and everybody is not None and valid != everybody:
        return f"{everybody:,} contacts, {valid:,} valid"
    number = everybody if valid is None else valid
    told = (data.get("progress") or {}).get("percent") is not None
    return "" if told or number is None else f"{number:,} contacts"


def _pace(data: Document) -> str:
    """Say how fast it goes, and when it ends at that pace."""
    ends_at = (data.get("forecast") or {}).get("ends_at")
    return _rate(data) + (f", ends about {date(ends_at, seconds=False)}" if ends_at else "")


def _rate(data: Document) -> str:
    forecast = data.get("forecast")
    return f"{write_rate(forecast['calls_per_minute'])} calls/min" if forecast else ""


def _counts(data: Document) -> list[str]:
    """List the calls per status, what moved first, then the largest."""
    counts: Mapping[str, int] = data.get("counts") or {}
    changes: Mapping[str, int] = data.get("changes") or {}
    order = sorted({*counts, *changes}, key=lambda s: (s not in changes, -counts.get(s, 0), s))
    return [_count(status, counts.get(status, 0), changes.get(status, 0)) for status in order]


def _count(status: str, calls: int, change: int) -> str:
    moved = f" ({change:+,})" if change else ""
    return f"{_word(status)} {calls:,}{moved}"


def _ending(data: Document) -> str:
    """Say how long it took; only end events know."""
    if data.get("late"):
        return "It had already ended when it was first seen."
    seconds = data.get("duration_seconds")
    return "" if seconds is None else f"Duration: {duration(seconds)}"


def _left_open(data: Document) -> str:
    """Say how many calls an end left open, and why it was believed all the same."""
    calls = (data.get("progress") or {}).get("open")
    why = LEFT_OPEN.get(data.get("settled_by") or "")
    if not calls or not why:
        return ""
    return f"{calls:,} call{' was' if calls == 1 else 's were'} left open: {why}"


def _unknown_words(data: Document) -> str:
    """Name the call statuses that we do not know: they count as open, and may be over."""
    words = [_word(status) for status in data.get("unknown_call_statuses") or ()]
    if not words:
        return ""
    shown = join(words, separator=", ", limit=400)
    return f"Calls with a status that we do not know count as open: {shown}"


def _trouble(document: Document, *, dated: bool = True) -> str:
    """Say why polls fail or had failed, and since when."""
    data = document["data"]
    if document["type"] in LASTING:
        return ""
    error = data.get("error")
    polls = "Polls had failed" if document["type"] in _ENDS_OF_TROUBLE else "Polls fail"
    since = f" since {date(data['since'])}" if dated and data.get("since") else ""
    if not error:
        return since and f"{polls}{since}"
    kind = inert(str(error.get("kind") or "unknown"), 64).replace("_", " ")
    code = f" (HTTP {error['status_code']})" if error.get("status_code") is not None else ""
    return f"{polls}: {kind}{code}{since}"


def _lasting(document: Document, *, dated: bool = True) -> str:
    """Say for how long a batch stands or stood still, or how late its start is."""
    data, kind = document["data"], document["type"]
    start = data.get("scheduled_at") if kind == "batch.overdue" else data.get("since")
    if kind not in LASTING or not start:
        return ""
    lasted = datetime.fromisoformat(document["time"]) - datetime.fromisoformat(start)
    words = LASTING[kind].format(duration(lasted.total_seconds()))
    if not dated:
        return words
    if kind == "batch.overdue":
        return f"{words}, scheduled for {date(start, seconds=False)}"
    return f"{words}, since {date(start)}"


def _remedy(document: Document) -> str:
    error = document["data"].get("error") or {}
    return REMEDIES.get(document["type"], {}).get(str(error.get("kind")), "")


def _context(document: Document) -> str:
    """Say what one looks up rather than reads: ids, labels, where and when."""
    data = document["data"]
    batch, source = data.get("batch") or {}, data.get("source") or {}
    receiver = data.get("receiver") or {}
    name = batch.get("source") or source.get("name") or receiver.get("name")
    kind = batch.get("provider") or source.get("provider") or receiver.get("kind")
    origin = [inert(str(word), 100) for word in dict.fromkeys((name, kind)) if word]
    about = [f"`{inert(batch['id'], 400)}`"] if batch else []
    labels = _labels((batch or source).get("labels") or {})
    lines = ([*about, labels], [*origin, date(document["time"]), inert(document["id"][:12], 60)])
    return "\n".join(filter(None, (" · ".join(filter(None, line)) for line in lines)))
