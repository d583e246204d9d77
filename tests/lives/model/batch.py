"""One batch in the model: what each of its readings must tell."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any, Final

from tests.lives.model.poll import Poll

PHASES: Final = {
    "bolna": {
        "pending": {"created", "processed", "scheduled", "queued"},
        "running": {"running"},
        "ended": {"executed", "completed", "stopped", "canceled", "cancelled", "failed"},
    },
    "vogent": {
        "pending": {"init"},
        "running": {"active"},
        "paused": {"paused"},
        "ended": {"complete", "cancelled"},
    },
}
ENDS: Final = {
    "executed": "completed",
    "completed": "completed",
    "complete": "completed",
    "failed": "failed",
    "stopped": "cancelled",
    "canceled": "cancelled",
    "cancelled": "cancelled",
}
FINISHED: Final = {
    *("completed", "noanswer", "busy", "failed", "canceled", "stopped", "error", "balancelow")
}
PARKED: Final = {"scheduled", "rescheduled"}
WAITING: Final = {"prepared", "queued"} | PARKED

CONFIRM: Final = timedelta(seconds=27)
LIMIT: Final = timedelta(minutes=15)
"""Of a stall, of a late start, and of calls that stay open after an end."""
WEEK: Final = timedelta(days=7)


class Batch:
    """Answer questions about all readings of one batch, by their number."""

    def __init__(self, provider: str, polls: Sequence[Poll]) -> None:
        self.polls = polls
        self.shown = [poll.shown for poll in polls if poll.shown]
        self._words = PHASES[provider]

    def expects(self, i: int, *, reachable: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what this reading must tell, in the order of the contract's table."""
        for event_type, data in self._tells(i, reachable=reachable):
            yield event_type, self._state(i) | data

    def _tells(self, i: int, *, reachable: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        if i == 0:
            yield "first_seen", {}
        elif self._calls_moved(i):
            yield "counts_changed", {"changes": self._changes(i)}
        if i > 0 and self.shown[i].status != self.shown[i - 1].status:
            yield "status_changed", {}
        if self._is_new_word(i):
            yield "status_unknown", {}
        yield from self._tells_end(i)
        if reachable:
            yield "reachable", {}
        yield from self._tells_lasting(i)

    def _tells_end(self, i: int) -> Iterator[tuple[str, dict[str, Any]]]:
        ended, ended_before = self.settled_by[i], i > 0 and self.settled_by[i - 1]
        outcome = ENDS.get(_bare(self.shown[i].status), "")
        again = ended_before and outcome != ENDS.get(_bare(self.shown[i - 1].status))
        late = self._born_ended(i)
        old, was_old = self._is_old_news(i), i > 0 and self._is_old_news(i - 1)
        if ended and not old and (not ended_before or again or was_old):
            yield outcome, {"late": late, "settled_by": self.settled_by[i]}
        if ended_before and not ended:
            yield "reopened", {}

    def _is_old_news(self, i: int) -> bool:
        """Tell whether a first complete round found it ended, and it has not moved since."""
        return self._born_ended(i) and self.polls[i].found_first and not any(self.moves[: i + 1])

    def _tells_lasting(self, i: int) -> Iterator[tuple[str, dict[str, Any]]]:
        if self.stalls[i]:
            yield "stalled", {}
        if self.moves[i] and any(self.stalls[self._last_move(i - 1) : i]):
            yield "progressing", {}
        if self.overdue[i]:
            yield "overdue", {}

    def _state(self, i: int) -> dict[str, Any]:
        last = i - 1 if i else None
        outcome = ENDS.get(_bare(self.shown[i].status)) if self.phases[i] == "ended" else None
        return {
            "status": self.shown[i].status,
            "phase": self.phases[i],
            "outcome": outcome,
            "settled": bool(self.settled_by[i]),
            "counts": self.calls[i],
            "total_contacts": self.totals[i][0],
            "valid_contacts": self.totals[i][1],
            "previous_status": None if last is None else self.shown[last].status,
            "previous_phase": None if last is None else self.phases[last],
            "previous_counts": None if last is None else self.calls[last],
            "previous_observed_at": None if last is None else _stamp(self.polls[last].at),
        }

    # what a reading says

    @cached_property
    def phases(self) -> list[str]:
        """Put each reading's status in our word."""
        bare = [_bare(shown.status) for shown in self.shown]
        words = self._words.items()
        return [next((p for p, known in words if word in known), "unknown") for word in bare]

    @cached_property
    def calls(self) -> list[Mapping[str, int]]:
        """Return the last known calls as of each reading; missing and empty ones are none."""
        known = [{}, *(s.calls for s in self.shown)]
        return [
            next((c for c in reversed(known[: i + 2]) if c and any(c.values())), {})
            for i in range(len(self.shown))
        ]

    @cached_property
    def totals(self) -> list[tuple[int | None, int | None]]:
        """Return the total and the valid contacts as of each reading, the last ones told."""
        return [(self._total(i), self._latest("valid", i)) for i in range(len(self.shown))]

    def _total(self, i: int) -> int | None:
        if not any(shown.summed for shown in self.shown[: i + 1]):
            return self._latest("total", i)
        return max(sum((s.calls or {}).values()) for s in self.shown[: i + 1] if s.summed)

    def _latest(self, name: str, i: int) -> int | None:
        told = (getattr(shown, name) for shown in reversed(self.shown[: i + 1]))
        return next((number for number in told if number is not None), None)

    def _sum(self, i: int, words: set[str] | None = None) -> int:
        """Sum the last known calls up, or those in such a status."""
        calls = self.calls[i].items()
        return sum(number for word, number in calls if words is None or _bare(word) in words)

    def _open(self, i: int) -> int:
        return self._sum(i) - self._sum(i, FINISHED)

    def _usable(self, i: int) -> bool:
        calls = self.shown[i].calls or {}
        if self.shown[i].summed and sum(calls.values()) < (self.totals[i][0] or 0):
            return False
        return any(calls.values())

    # what has changed

    def _changes(self, i: int) -> dict[str, int]:
        now, before = self.calls[i], self.calls[i - 1]
        return {word: now.get(word, 0) - before.get(word, 0) for word in {**now, **before}}

    def _calls_moved(self, i: int) -> bool:
        totals, before = ([number or 0 for number in self.totals[n]] for n in (i, i - 1))
        return totals != before or any(self._changes(i).values())

    @cached_property
    def moves(self) -> list[bool]:
        """Tell of each reading whether anything differs from the one before."""
        words = [shown.status for shown in self.shown]
        numbers = range(1, len(words))
        return [False, *(words[i] != words[i - 1] or self._calls_moved(i) for i in numbers)]

    def _last_move(self, i: int) -> int:
        return next((n for n in range(i, 0, -1) if self.moves[n]), 0)

    def _is_new_word(self, i: int) -> bool:
        words = {_bare(self.shown[n].status) for n in range(i)}
        return self.phases[i] == "unknown" and _bare(self.shown[i].status) not in words

    # its end

    @cached_property
    def settled_by(self) -> list[str]:
        """Tell of each reading by what the batch is settled then; "": it is not."""
        found: list[str] = []
        for i in range(len(self.shown)):
            found.append(self._proof(i, found) if self.phases[i] == "ended" else "")
        return found

    def _proof(self, i: int, before: Sequence[str]) -> str:
        if before and before[-1] and self._open(i) <= self._open(i - 1):
            return before[-1]
        if self._usable(i) and not self._open(i) and not self._lacks(i, before):
            return "counts"
        row = i
        while row >= 0 and self._is_quiet_end(row) and (row == i or not before[row]):
            row -= 1
        if row < i and self.polls[i].at - self.polls[row + 1].at >= CONFIRM:
            return "confirmed"
        parked = self._open(i) == self._sum(i, PARKED)
        still = self.polls[i].at - self.polls[self._last_move(i)].at
        return "silence" if self._open(i) and still >= (WEEK if parked else LIMIT) else ""

    def _lacks(self, i: int, settled: Sequence[str]) -> bool:
        """Tell whether fewer calls are shown than before, or still as few as when that began."""
        if i == 0 or self.shown[i].summed:
            return False
        calls, known = self.shown[i].calls or {}, self.calls[i - 1] or {}
        waits = not settled[i - 1] and self._is_quiet_end(i - 1)
        return sum(calls.values()) < sum(known.values()) or (waits and calls == known)

    def _is_quiet_end(self, i: int) -> bool:
        """Tell whether it ended, and nobody is dialled or spoken as far as one can see."""
        if self.phases[i] != "ended":
            return False
        cut_short = ENDS[_bare(self.shown[i].status)] != "completed"
        return not self._open(i) or (cut_short and self._open(i) == self._sum(i, WAITING))

    def _born_ended(self, i: int) -> bool:
        """Tell whether it had ended before it was first seen, and has never been open again."""
        settled = self.settled_by
        reopened = any(settled[n] and not settled[n + 1] for n in range(i))
        return not reopened and all(self.phases[n] == "ended" for n in range(i + 1))

    # what lasts too long

    @cached_property
    def stalls(self) -> list[bool]:
        """Tell of each reading whether it tells that nothing moves."""
        found: list[bool] = []
        for i in range(len(self.shown)):
            move = self._last_move(i)
            found.append(not any(found[move:]) and i > 0 and self._stands_still(i, move))
        return found

    def _stands_still(self, i: int, move: int) -> bool:
        at, shown = self.polls[i].at, self.shown[i]
        since = self.polls[move].at
        if shown.hours is not None:
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
            opens, closes = (midnight + timedelta(minutes=minutes) for minutes in shown.hours)
            if not opens <= at < closes:
                return False
            since = max(since, opens)
        if at - since < LIMIT or self.phases[i] in {"paused", "ended"}:
            return False
        if self.phases[i] == "pending" and shown.start is not None and not self._begun(i):
            return False
        if self._open(i):
            return self._open(i) > self._sum(i, PARKED)
        return self.phases[i] == "running" and not self._sum(i)

    def _begun(self, i: int) -> bool:
        waits = self._sum(i, WAITING)
        return self.phases[i] != "pending" or self._sum(i) > waits

    @cached_property
    def overdue(self) -> list[bool]:
        """Tell of each reading whether it tells that its start is overdue."""
        found: list[bool] = []
        for i, shown in enumerate(self.shown):
            told = [poll.at for told, poll in zip(found, self.polls, strict=False) if told]
            again = shown.start is not None and told and shown.start <= max(told)
            found.append(not again and self._is_overdue(i))
        return found

    def _is_overdue(self, i: int) -> bool:
        start = self.shown[i].start
        if start is None or self.polls[i].at < start + LIMIT:
            return False
        ran = any(self._begun(n) and self.polls[n + 1].at >= start for n in range(i))
        return not self._begun(i) and not ran


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


@cache
def _bare(word: str) -> str:
    return word.translate({ord(sign): None for sign in "-_ "}).casefold()
