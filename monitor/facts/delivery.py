"""A delivery beside its receiver: what it waits for, how it fared, its JSON."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self, assert_never

from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.core.event import EventType, stamp
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import stamp_if, write_latency, write_short_time
from monitor.storage.deliveries.debts import Debt
from monitor.storage.deliveries.read import AttemptView, DeliveryView

LARGEST_ROW: Final = 2**63 - 1


class Wait(StrEnum):
    """What a pending delivery waits for."""

    NO_RECEIVER = "no receiver"
    ANSWER = "answer"
    HOLD = "hold"
    LANE = "lane"
    DUE = "due"


_IN_A_WORD: Final = {
    Wait.NO_RECEIVER: "not configured",
    Wait.ANSWER: "being sent",
    Wait.HOLD: "held",
    Wait.LANE: "waiting",
    Wait.DUE: "due",
    None: "dead",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """A delivery, and whether the config still has its receiver."""

    view: DeliveryView
    configured: bool

    @classmethod
    def of(cls, view: DeliveryView, config: Config) -> Self:
        """Look the receiver up in the config."""
        return cls(view=view, configured=view.receiver in config.receivers)

    @property
    def waits_for(self) -> Wait | None:
        """Return what a pending delivery waits for; none for any other."""
        view = self.view
        if view.state is not DeliveryState.PENDING:
            return None
        if not self.configured:
            return Wait.NO_RECEIVER
        if view.claimed:
            return Wait.ANSWER
        if view.held_until is not None:
            return Wait.HOLD
        return Wait.LANE if view.due_at is None else Wait.DUE

    @property
    def is_abandoned(self) -> bool:
        """Return whether its daemon ended while it sent it: the lease has run out."""
        view = self.view
        return view.claimed and view.due_at is not None and view.due_at < datetime.now(UTC)

    @property
    def is_dead_test(self) -> bool:
        """Return whether it is a failed test, which nobody wants to arrive late."""
        return self.view.state is DeliveryState.DEAD and self.view.event_type == EventType.TEST

    @property
    def wait(self) -> str:
        """Write what a pending delivery waits for, or that a failed test waits for nothing."""
        view = self.view
        match self.waits_for:
            case None:
                return "a test, not sent again" if self.is_dead_test else ""
            case Wait.NO_RECEIVER:
                return "no receiver"
            case Wait.ANSWER:
                return "abandoned by its daemon" if self.is_abandoned else "being sent"
            case Wait.HOLD:
                return f"held until {write_short_time(view.held_until)}"
            case Wait.LANE:
                return "behind an earlier one"
            case Wait.DUE:
                return f"due {write_short_time(view.due_at)}"
            case never:
                assert_never(never)

    @property
    def brief(self) -> Sentence:
        """Write how it fares in a word: `0.2 s`, `held`."""
        view = self.view
        if view.state is DeliveryState.DELIVERED and view.delivered_at is not None:
            return Sentence(write_latency(view.delivered_at - view.enqueued_at), Tone.GOOD)
        return Sentence(_IN_A_WORD[self.waits_for], Tone.PLAIN if self.waits_for else Tone.BAD)

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
            "due_at": stamp_if(view.due_at),
            "delivered_at": stamp_if(view.delivered_at),
            "waits_for": self.waits_for,
            "held_until": stamp_if(view.held_until),
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


def parse_row(text: str) -> int | None:
    """Return a delivery's number; none for anything else."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return number if 0 < number <= LARGEST_ROW else None


def write_debt(receiver: str, debt: Debt) -> str:
    """Write what waits for a receiver that is gone."""
    wait = "delivery waits" if debt.deliveries == 1 else "deliveries wait"
    return (
        f'receiver "{receiver}" is gone: {debt.deliveries:,} {wait}, the oldest since'
        f" {write_short_time(debt.oldest)}"
    )
