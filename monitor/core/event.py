"""An event: the immutable record of one change or condition, and the bytes that carry it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NewType

Document = dict[str, Any]
"""An event's body as JSON data."""

Stamp = NewType("Stamp", str)
"""A time as the payload has it."""


class EventType(StrEnum):
    """Every type of event, in the order in which events of one poll come."""

    FIRST_SEEN = "batch.first_seen"
    COUNTS_CHANGED = "batch.counts_changed"
    STATUS_CHANGED = "batch.status_changed"
    STATUS_UNKNOWN = "batch.status_unknown"
    COMPLETED = "batch.completed"
    FAILED = "batch.failed"
    CANCELLED = "batch.cancelled"
    REOPENED = "batch.reopened"
    UNREACHABLE = "batch.unreachable"
    REACHABLE = "batch.reachable"
    SOURCE_FAILING = "source.failing"
    SOURCE_RECOVERED = "source.recovered"
    STALLED = "batch.stalled"
    PROGRESSING = "batch.progressing"
    OVERDUE = "batch.overdue"
    TEST = "monitor.test"


class SubjectKind(StrEnum):
    """What an event is about."""

    BATCH = "batch"
    SOURCE = "source"
    RECEIVER = "receiver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Identify what an event is about: our row, its registration key, its public names."""

    kind: SubjectKind
    row: int
    key: str
    source_path: str
    """CloudEvents `source`, such as `/sources/bolna-prod`."""
    name: str
    """CloudEvents `subject`: the batch id, the source's or the receiver's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as it is stored and sent."""

    id: str
    type: EventType
    subject_kind: SubjectKind
    subject_row: int
    sequence: int
    at: datetime
    body: bytes
    facts: Mapping[str, str]
    """What matchers see."""


MATCHER_NAMES: Final = ("type", "source", "provider", "batch", "name", "status", "phase", "outcome")
"""Names that matchers may use besides labels; no label may take one."""

CONDITION_NAMES: Final = ("stalled", "unreachable", "overdue", "late")
"""Conditions of a batch as matchers see them: `true`, or the empty string."""


_HEAD: Final = b'{"specversion":"1.0"'
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def compose(
    event_type: EventType,
    subject: Subject,
    *,
    sequence: int,
    at: datetime,
    data: Mapping[str, object],
) -> Event:
    """Serialise an event once; the bytes, and with them the id, never change again.

    The id is `evt_` and 26 base32 characters of SHA-256 over the body without id and the
    subject's random key: other bytes, or another installation, make another id.
    """
    time = stamp(at)
    document: Document = {
        "source": subject.source_path,
        "type": event_type.value,
        "subject": subject.name,
        "time": time,
        "timestamp": time,
        "datacontenttype": "application/json",
        "data": {**data, "sequence": sequence, "observed_at": time},
    }
    rest = _encode(document).encode()[1:]
    digest = hashlib.sha256(_HEAD + b"," + rest + subject.key.encode()).digest()
    event_id = "evt_" + base64.b32encode(digest).decode()[:26]
    return Event(
        id=event_id,
        type=event_type,
        subject_kind=subject.kind,
        subject_row=subject.row,
        sequence=sequence,
        at=at,
        body=_HEAD + b',"id":"' + event_id.encode() + b'",' + rest,
        facts=facts(document),
    )


def is_test(document: Mapping[str, Any]) -> bool:
    """Return whether `monitor test` sent it: a test of its own type, or an example of another."""
    return bool(document["type"] == EventType.TEST or document["data"].get("test"))


def facts(document: Document) -> dict[str, str]:
    """Lay out what matchers see of an event; what is missing is the empty string to them."""
    data = document["data"]
    about = data.get("batch") or data.get("source") or {}
    own = {
        "type": EventType.TEST.value if is_test(document) else document["type"],
        "source": about.get("source") or (about.get("name") if "source" in data else None),
        "provider": about.get("provider"),
        "batch": about.get("id"),
        "name": about.get("name") if "batch" in data else None,
        "status": data.get("status"),
        "phase": data.get("phase"),
        "outcome": data.get("outcome"),
    }
    lasting = data.get("conditions") or ()
    conditions = {name: "true" if name in lasting else "" for name in CONDITION_NAMES}
    told = {name: value or "" for name, value in own.items()}
    return {**about.get("labels", {}), **told, **conditions}


def stamp(at: datetime) -> Stamp:
    """Write an aware time as the payload does: UTC, milliseconds, `Z`."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return Stamp(text.replace("+00:00", "Z"))
