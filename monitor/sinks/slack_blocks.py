"""What an event looks like in Slack: a pure function from its document to a message."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from monitor.core.event import Document
from monitor.sinks.mrkdwn import date, duration, inert, join

HEADER_LIMIT: Final = 150
SECTION_LIMIT: Final = 2800
TEXT_LIMIT: Final = 2000
"""Slack's own: 150, 3000 a section, and some 13,000 characters over all."""

_BAR_CELLS: Final = 20
_LABELS_SHOWN: Final = 10
_HEADLINES: Final = {
    "batch.first_seen": "👀 Batch first seen",
    "batch.counts_changed": "📊 Calls moved",
    "batch.status_changed": "🔄 Status changed",
    "batch.status_unknown": "❓ Unknown status",
    "batch.completed": "✅ Batch completed",
    "batch.failed": "❌ Batch failed",
    "batch.cancelled": "🚫 Batch cancelled",
    "batch.reopened": "🔁 Batch reopened",
    "batch.unreachable": "⚠️ Batch unreachable",
    "batch.reachable": "👌 Batch reachable again",
    "source.failing": "🔥 Source failing",
    "source.recovered": "👌 Source recovered",
    "monitor.test": "🔔 Test",
}


def message(document: Document) -> dict[str, Any]:
    """Lay out one event as the payload of an incoming webhook.

    Without `blocks` it is still a whole message. Slack never gets markup that strangers wrote.
    """
    data = document["data"]
    sections = (_subject(document), _calls(data), _ending(data), _trouble(data))
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
    return _HEADLINES.get(document["type"]) or inert(document["type"], 64)


def _name(document: Document) -> str:
    """Return a batch's name, or else its id; a source's and a receiver's name."""
    batch: Mapping[str, Any] = document["data"].get("batch") or {}
    return str(batch.get("name") or document["subject"]).strip() or "(no name)"


def _headline(document: Document) -> str:
    what = f"{_what(document)}: "
    return what + inert(_name(document), HEADER_LIMIT - len(what))


def _summary(document: Document) -> str:
    """Say it all in one line: what notifications show, and screens that know no blocks."""
    data = document["data"]
    parts = [f"{_what(document)}: {inert(_name(document), 300)}"]
    if "batch" in data:
        batch = data["batch"]
        parts.append(f"batch {inert(batch['id'], 300)} of {inert(batch['source'], 100)}")
        parts += [_status(data), _bar(data)]
    parts.append(_trouble(data, dated=False))
    return join([part for part in parts if part], separator=" · ", limit=TEXT_LIMIT)


def _subject(document: Document) -> str:
    data = document["data"]
    about = data.get("batch") or data.get("source") or data.get("receiver") or {}
    lines = [f"*{inert(_name(document), 400)}*"]
    if "batch" in data:
        status = _status(data)
        lines += [f"`{inert(about['id'], 400)}`", f"Status: *{status}*" if status else ""]
    if document["type"] == "monitor.test":
        lines.append("This receiver works: events that its routes match arrive here.")
    lines.append(_labels(about.get("labels") or {}))
    return join([line for line in lines if line], separator="\n", limit=SECTION_LIMIT)


def _labels(labels: Mapping[str, str]) -> str:
    shown = [f"{inert(name, 63)}: {inert(value, 100)}" for name, value in labels.items()]
    more = [f"and {len(shown) - _LABELS_SHOWN} more"] if len(shown) > _LABELS_SHOWN else []
    return " · ".join(shown[:_LABELS_SHOWN] + more)


def _status(data: Document) -> str:
    now, before = data.get("status"), data.get("previous_status")
    if now is None:
        return ""
    moved = f"{_word(before)} → {_word(now)}" if before not in (None, now) else _word(now)
    phase = data.get("phase")
    told = str(data.get("status") or "").casefold()
    return f"{moved} ({phase})" if phase and phase != told else moved


def _word(status: str) -> str:
    return inert(status, 100) or "(empty)"


def _calls(data: Document) -> str:
    lines = [_bar(data, cells=_BAR_CELLS), " · ".join(_totals(data))]
    room = SECTION_LIMIT - sum(map(len, lines)) - len(lines)
    lines.append(join(_counts(data), separator=" · ", limit=room))
    return "\n".join(line for line in lines if line)


def _bar(data: Document, *, cells: int = 0) -> str:
    progress = data.get("progress") or {}
    percent, finished = progress.get("percent"), progress.get("finished")
    if percent is None:
        return "" if finished is None else f"{finished:,} calls finished"
    filled = int(percent / 100 * cells)
    bar = f"{'█' * filled}{'░' * (cells - filled)} " if cells else ""
    return (
        f"{bar}{percent:g} % · {finished or 0:,} of {progress.get('total') or 0:,} calls finished"
    )


def _totals(data: Document) -> Iterator[str]:
    names = {"valid_contacts": "valid contacts", "total_contacts": "contacts in all"}
    for key, name in names.items():
        if data.get(key) is not None:
            yield f"{data[key]:,} {name}"


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
    """Say how it ended and how long it took; only end events know."""
    if "late" not in data:
        return ""
    lines = [f"Outcome: {data['outcome']}"] if data.get("outcome") else []
    if data.get("duration_seconds") is not None:
        lines.append(f"Duration: {duration(data['duration_seconds'])}")
    if data["late"]:
        lines.append("Late: it had already ended when it was first seen.")
    return "\n".join(lines)


def _trouble(data: Document, *, dated: bool = True) -> str:
    """Say why polls fail, and since when; or since when they had failed."""
    error = data.get("error")
    since = f" since {date(data['since'])}" if dated and data.get("since") else ""
    if not error:
        return since and f"Polls had failed{since}"
    kind = inert(str(error.get("kind") or "unknown"), 64).replace("_", " ")
    code = f" (HTTP {error['status_code']})" if error.get("status_code") is not None else ""
    return f"Polls fail: {kind}{code}{since}"


def _context(document: Document) -> str:
    data = document["data"]
    batch, source = data.get("batch") or {}, data.get("source") or {}
    receiver = data.get("receiver") or {}
    names = (batch.get("source") or source.get("name") or receiver.get("name"),)
    kinds = (batch.get("provider") or source.get("provider") or receiver.get("kind"),)
    origin = [inert(str(word), 100) for word in (*names, *kinds) if word]
    parts = [*origin, date(document["time"]), inert(document["id"][:12], 60)]
    return " · ".join(parts)
