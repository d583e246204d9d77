"""What a command tells of a delivery: the JSON of one, and what it waits for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.text import Text

from monitor.cli.screen import safe, word, write_latency, write_short_time
from monitor.core.delivery import DeliveryState
from monitor.core.event import stamp
from monitor.storage.delivery_queries import AttemptView, DeliveryView

_IN_A_WORD: Final = {
    "no receiver": "not configured",
    "answer": "being sent",
    "hold": "held",
    "lane": "waiting",
    "due": "due",
    None: "dead",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """Join a delivery with whether the config still has its receiver."""

    view: DeliveryView
    configured: bool

    @property
    def waits_for(self) -> str | None:
        """Say what a pending delivery waits for; none for any other."""
        view = self.view
        if view.state is not DeliveryState.PENDING:
            return None
        if not self.configured:
            return "no receiver"
        if view.claimed:
            return "answer"
        if view.held_until is not None:
            return "hold"
        return "lane" if view.due_at is None else "due"

    @property
    def standing(self) -> Text:
        """Write the state, and what a pending one waits for."""
        return Text(", ").join(part for part in (word(self.view.state), safe(self.wait)) if part)

    @property
    def wait(self) -> str:
        """Write what a pending delivery waits for; empty for any other."""
        view = self.view
        match self.waits_for:
            case "no receiver":
                return "no receiver"
            case "answer":
                return "being sent"
            case "hold":
                return f"held until {write_short_time(view.held_until)}"
            case "lane":
                return "behind an earlier one"
            case "due":
                return f"due {write_short_time(view.due_at)}"
            case _:
                return ""

    @property
    def brief(self) -> Text:
        """Write the receiver and how it fares in a word: `crm 0.2 s`, `ops held`."""
        view = self.view
        if view.state is DeliveryState.DELIVERED and view.delivered_at is not None:
            fared = safe(write_latency(view.delivered_at - view.enqueued_at), "green")
        else:
            fared = safe(_IN_A_WORD[self.waits_for], "" if self.waits_for else "red")
        return Text.assemble(safe(view.receiver), " ", fared)

    def document(self) -> dict[str, Any]:
        """Lay the delivery out as JSON."""
        view = self.view
        return {
            "id": view.row,
            "event": view.event_id,
            "type": view.event_type,
            "receiver": view.receiver,
            "subject": view.subject,
            "subject_kind": view.subject_kind.value,
            "source": view.source,
            "sequence": view.sequence,
            "state": view.state.value,
            "attempts": view.attempts,
            "enqueued_at": stamp(view.enqueued_at),
            "due_at": _stamp(view.due_at),
            "delivered_at": _stamp(view.delivered_at),
            "waits_for": self.waits_for,
            "held_until": _stamp(view.held_until),
        }


def attempt_document(attempt: AttemptView) -> dict[str, Any]:
    """Lay an attempt out as JSON."""
    return {
        "at": stamp(attempt.at),
        "duration_ms": attempt.duration // timedelta(milliseconds=1),
        "verdict": attempt.verdict,
        "status_code": attempt.status_code,
        "error": attempt.error,
        "response": attempt.response,
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
