"""The fate of an event at one receiver: delivered, pending, dead or never owed, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from rich.text import Text

from monitor.cli.delivery_facts import DeliveryFacts, Wait, attempt_document
from monitor.cli.screen import safe, write_latency, write_short_time
from monitor.core.delivery import DeliveryState, VerdictKind
from monitor.storage.deliveries.read import AttemptView, DeliveryView


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Hold a delivery and all attempts at it, the first one first."""

    delivery: DeliveryFacts
    attempts: Sequence[AttemptView]

    @property
    def last(self) -> str:
        """Say what the last attempt brought; empty when there was none."""
        return write_attempt(self.attempts[-1]) if self.attempts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """Hold what became of an event at one receiver."""

    receiver: str
    would: bool
    """A route of today's config leads there."""
    routed: bool
    """Some route of today's config leads there, if not for this event."""
    test: bool = False
    """The event is a test: it goes to one receiver, and is tried once."""
    own: History | None = None
    ahead: History | None = None
    """The head of its lane, when that is an earlier one."""
    hold: AttemptView | None = None
    """The last attempt that held the receiver."""

    def tell(self, *, now: datetime) -> Iterator[Text]:
        """Yield the story, sentence by sentence."""
        own = self.own
        if own is None:
            yield safe(f"nothing owed: {self._why_not()}", "dim")
            return
        wait = own.delivery.waits_for
        if wait is not None:
            yield from self._tell_pending(own, wait, now)
        elif own.delivery.view.state is DeliveryState.DELIVERED:
            yield safe(_tell_delivered(own), "green")
        else:
            yield from self._tell_dead(own)
        if not self.would:
            yield safe("today's routes would not send it here", "dim")

    def _why_not(self) -> str:
        if self.test:
            return "it was the test of another receiver"
        if self.would:
            return "when it happened no route led here; today's would"
        return "no route to it applies" if self.routed else "no route leads here"

    def _tell_pending(self, own: History, wait: Wait, now: datetime) -> Iterator[Text]:
        view = own.delivery.view
        behind = self.ahead and _tell_ahead(self.ahead, now)
        match wait:
            case Wait.NO_RECEIVER:
                told = "the config has no such receiver; it goes when it returns, or expires"
                yield safe(f"pending: {told}", "red")
                yield safe(f"`monitor clear {self.receiver} --to OTHER` moves it", "dim")
                return
            case Wait.ANSWER:
                told = "is being sent right now"
                if own.delivery.is_abandoned:
                    told = "was being sent when its daemon ended; the next one sends it again"
                yield safe(f"pending: delivery {view.row} {told}", "yellow")
            case Wait.HOLD:
                yield safe(f"pending: {self._tell_hold(view)}", "yellow")
                if behind:
                    yield safe(f"it {behind}", "yellow")
            case Wait.LANE | Wait.DUE:
                yield safe(f"pending: {behind or _tell_due(view.due_at, now)}", "yellow")
            case never:
                assert_never(never)
        if own.attempts:
            yield safe(f"its last attempt: {own.last}")

    def _tell_dead(self, own: History) -> Iterator[Text]:
        why, mend = _why_dead(own), f"redeliver {own.delivery.view.row}` sends it again"
        if self.test:
            why = f"a test is tried once; {own.last}"
            mend = f"test {self.receiver}` sends another"
        yield safe(f"dead: {why}", "red")
        yield safe(f"`monitor {mend}", "dim")

    def _tell_hold(self, view: DeliveryView) -> str:
        since, until = write_short_time(view.held_since), write_short_time(view.held_until)
        told = f"the whole receiver is held since {since}, tried again at {until}"
        return told if self.hold is None else f"{told}; it failed by {write_attempt(self.hold)}"

    def document(self, *, now: datetime) -> dict[str, Any]:
        """Lay it out as JSON."""
        return {
            "receiver": self.receiver,
            "would": self.would,
            "delivery": self.own and self.own.delivery.document(),
            "tries": [attempt_document(one) for one in self.own.attempts] if self.own else [],
            "behind": self.ahead and self.ahead.delivery.document(),
            "hold": self.hold and attempt_document(self.hold),
            "why": ". ".join(sentence.plain for sentence in self.tell(now=now)),
        }


def write_attempt(attempt: AttemptView) -> str:
    """Write what an attempt brought: `503 at 12:01:02 CET`, `connect at …`."""
    words = [str(word) for word in (attempt.status_code, attempt.error) if word is not None]
    return f"{', '.join(words) or attempt.verdict} at {write_short_time(attempt.at)}"


def _tell_delivered(own: History) -> str:
    view = own.delivery.view
    at = view.delivered_at or view.enqueued_at
    tries = len(own.attempts)
    by = "by the first attempt" if tries <= 1 else f"by attempt {tries}"
    after = write_latency(at - view.enqueued_at)
    return f"delivered at {write_short_time(at)}, {after} after it was owed, {by}"


def _why_dead(own: History) -> str:
    """Say why nobody tries any more: refused for good, all attempts used up, or too old."""
    if not own.attempts:
        return "too old; it waited for its whole schedule without a single attempt"
    tries = f"{len(own.attempts)} attempts" if len(own.attempts) > 1 else "1 attempt"
    match own.attempts[-1].verdict:
        case VerdictKind.DEAD:
            return f"refused for good, after {tries}; {own.last}"
        case VerdictKind.HOLD:
            return f"too old when the receiver failed as a whole, after {tries}; {own.last}"
        case _:
            return f"given up after {tries}; the last: {own.last}"


def _tell_due(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return "about to be due"
    at = write_short_time(due_at)
    return f"tried at {at}" if due_at > now else f"due since {at}"


def _tell_ahead(ahead: History, now: datetime) -> str:
    view = ahead.delivery.view
    told = f"waits behind delivery {view.row}, {view.event_type} ({view.event_id})"
    if view.held_until is None:
        told += (
            f", {_tell_due(view.due_at, now)}" if not view.claimed else f", {ahead.delivery.wait}"
        )
    return f"{told}; its last attempt: {ahead.last}" if ahead.attempts else told
