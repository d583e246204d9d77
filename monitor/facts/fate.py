"""The fate of an event at one receiver: delivered, pending, dead or never owed, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from monitor.core.delivery import DeliveryState, VerdictKind
from monitor.facts.delivery import DeliveryFacts, Wait, attempt_document
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import write_latency, write_short_time
from monitor.net.redact import printable
from monitor.storage.deliveries.read import AttemptView, DeliveryView


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A delivery and all attempts at it, the first one first."""

    delivery: DeliveryFacts
    attempts: Sequence[AttemptView]

    @property
    def last(self) -> str:
        """Write what the last attempt brought; empty when there was none."""
        return write_attempt(self.attempts[-1]) if self.attempts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of an event at one receiver."""

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

    @property
    def pending(self) -> bool:
        """Return whether its delivery is still to arrive."""
        return self.own is not None and self.own.delivery.view.state is DeliveryState.PENDING

    def explain(self, *, now: datetime) -> Iterator[Sentence]:
        """Yield the story, sentence by sentence."""
        own = self.own
        if own is None:
            yield Sentence(f"nothing owed: {self._why_not()}", Tone.ASIDE)
            return
        wait = own.delivery.waits_for
        if wait is not None:
            yield from self._explain_pending(own, wait, now)
        elif own.delivery.view.state is DeliveryState.DELIVERED:
            yield Sentence(_write_delivered(own), Tone.GOOD)
        else:
            yield from self._explain_dead(own)
        if not self.would:
            yield Sentence("today's routes would not send it here", Tone.ASIDE)

    def _why_not(self) -> str:
        if self.test:
            return "it was the test of another receiver"
        if self.would:
            return "when it happened no route led here; today's would"
        return "no route to it applies" if self.routed else "no route leads here"

    def _explain_pending(self, own: History, wait: Wait, now: datetime) -> Iterator[Sentence]:
        view = own.delivery.view
        behind = self.ahead and _write_ahead(self.ahead, now)
        match wait:
            case Wait.NO_RECEIVER:
                gone = "the config has no such receiver; it goes when it returns, or expires"
                yield Sentence(f"pending: {gone}", Tone.BAD)
                yield Sentence(f"`monitor clear {self.receiver} --to OTHER` moves it", Tone.ASIDE)
                return
            case Wait.ANSWER:
                sending = "is being sent right now"
                if own.delivery.is_abandoned:
                    sending = "was being sent when its daemon ended; the next one sends it again"
                yield Sentence(f"pending: delivery {view.row} {sending}", Tone.DOUBTFUL)
            case Wait.HOLD:
                yield Sentence(f"pending: {self._write_hold(view)}", Tone.DOUBTFUL)
                if behind:
                    yield Sentence(f"it {behind}", Tone.DOUBTFUL)
            case Wait.LANE | Wait.DUE:
                waits = behind or _write_due(view.due_at, now)
                yield Sentence(f"pending: {waits}", Tone.DOUBTFUL)
            case never:
                assert_never(never)
        if own.attempts:
            yield Sentence(f"its last attempt: {own.last}")

    def _explain_dead(self, own: History) -> Iterator[Sentence]:
        why, mend = _why_dead(own), f"redeliver {own.delivery.view.row}` sends it again"
        if self.test:
            why = f"a test is tried once; {own.last}"
            mend = f"test {self.receiver}` sends another"
        yield Sentence(f"dead: {why}", Tone.BAD)
        yield Sentence(f"`monitor {mend}", Tone.ASIDE)

    def _write_hold(self, view: DeliveryView) -> str:
        since, until = write_short_time(view.held_since), write_short_time(view.held_until)
        held = f"the whole receiver is held since {since}, tried again at {until}"
        return held if self.hold is None else f"{held}; it failed by {write_attempt(self.hold)}"

    def document(self, *, now: datetime) -> dict[str, Any]:
        """Lay it out as JSON."""
        return {
            "receiver": self.receiver,
            "would": self.would,
            "delivery": self.own and self.own.delivery.document(),
            "tries": [attempt_document(one) for one in self.own.attempts] if self.own else [],
            "behind": self.ahead and self.ahead.delivery.document(),
            "hold": self.hold and attempt_document(self.hold),
            "why": ". ".join(printable(sentence.text) for sentence in self.explain(now=now)),
        }


def write_attempt(attempt: AttemptView) -> str:
    """Write what an attempt brought: `503 at 12:01:02 CET`, `connect at …`."""
    words = [str(word) for word in (attempt.status_code, attempt.error) if word is not None]
    return f"{', '.join(words) or attempt.verdict} at {write_short_time(attempt.at)}"


def _write_delivered(own: History) -> str:
    view = own.delivery.view
    at = view.delivered_at or view.enqueued_at
    tries = len(own.attempts)
    by = "by the first attempt" if tries <= 1 else f"by attempt {tries}"
    after = write_latency(at - view.enqueued_at)
    return f"delivered at {write_short_time(at)}, {after} after it was owed, {by}"


def _why_dead(own: History) -> str:
    """Write why nobody tries any more: refused for good, all attempts used up, or too old."""
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


def _write_due(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return "about to be due"
    at = write_short_time(due_at)
    return f"tried at {at}" if due_at > now else f"due since {at}"


def _write_ahead(ahead: History, now: datetime) -> str:
    view = ahead.delivery.view
    behind = f"waits behind delivery {view.row}, {view.event_type} ({view.event_id})"
    if view.held_until is None:
        state = ahead.delivery.wait if view.claimed else _write_due(view.due_at, now)
        behind += f", {state}"
    return f"{behind}; its last attempt: {ahead.last}" if ahead.attempts else behind
