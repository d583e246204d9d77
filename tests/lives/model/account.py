"""One account in the model: what each of its polls must tell, and where the code parts from it.

The model is written from the contract alone and keeps no state: every rule looks at the whole
history of polls, in the provider's own words. Where the contract leaves room (whether the account
or the batch is what fails), it names what must and what may be told, and goes on from what was.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from tests.lives.model.batch import Batch
from tests.lives.model.poll import Poll

ANSWERS: Final = {"400", "404", "410", "418", "422"}
REFUSALS: Final = {"400", "403", "404", "410", "422"}
TWO_MINUTES: Final = timedelta(minutes=2)


def difference(provider: str, polls: Sequence[Poll]) -> str | None:
    """Return where the code and the contract part, or none."""
    account = History(provider, polls)
    for number, poll in enumerate(polls):
        expected = list(account.expects(number))
        told = poll.told
        if [e["type"] for e in told] != [e["type"] for e in expected]:
            return _words(number, poll, expected, told)
        for have, want in zip(told, expected, strict=True):
            if any(_plain(have["data"].get(k)) != _plain(v) for k, v in want["data"].items()):
                return _words(number, poll, expected, told)
    return None


def _words(number: int, poll: Poll, expected: list[dict[str, Any]], told: list[Any]) -> str:
    wanted, have = ([f"  {e['type']} {e['data']}" for e in events] for events in (expected, told))
    shown = f"poll {number} at {poll.at:%H:%M:%S} of batch {poll.batch}: {poll.shown or poll.fault}"
    return "\n".join([shown, "the contract wants", *wanted, "the code told", *have])


def _plain(value: Any) -> Any:
    """Take zeros out of counts, and null and `{}` for the same."""
    if isinstance(value, Mapping):
        return {key: number for key, number in value.items() if number}
    return {} if value is None else value


class History:
    """Answer questions about all polls of one account, in the order of their answers."""

    def __init__(self, provider: str, polls: Sequence[Poll]) -> None:
        self.polls = polls
        self.of = {
            batch: Batch(provider, [p for p in polls if p.batch == batch and p.shown])
            for batch in {poll.batch for poll in polls}
        }
        self.fails: list[bool] = []
        """Whether the account was known to fail after each poll."""

    def expects(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the events of a poll, each with what of its data the contract fixes."""
        poll = self.polls[number]
        for event_type in self._of_account(number):
            yield _event(event_type, self._told(number, of="source"))
        told = self._told(number, of="batch")
        if poll.shown is not None:
            batch = self.of[poll.batch]
            index = next(i for i, reading in enumerate(batch.polls) if reading is poll)
            found = batch.expects(index, reachable=self._is_unreachable(number))
            for place, (event_type, data) in enumerate(found):
                yield _event(f"batch.{event_type}", told + place, **data)
        elif self._becomes_unreachable(number):
            yield _event("batch.unreachable", told)

    def _told(self, number: int, *, of: str) -> int:
        """Count what was told of the account, or of a poll's batch, by the polls before it."""
        batch = self.polls[number].batch
        polls = (p for p in self.polls[:number] if of == "source" or p.batch == batch)
        return sum(event["type"].startswith(of) for poll in polls for event in poll.told)

    # the account

    def _of_account(self, number: int) -> Iterator[str]:
        failed = number > 0 and self.fails[number - 1]
        kind, poll = self._kind(number), self.polls[number]
        if not failed:
            must, may = self._breaks(number, kind)
            turn = must or (may and poll.tells("source.failing"))
        else:
            since = max(n for n in range(number) if self.polls[n].tells("source.failing"))
            must = kind == "answer" and poll.asked > since
            turn = must or (kind == "answer" and poll.tells("source.recovered"))
        self.fails.append(failed != turn)
        if turn:
            yield "source.recovered" if failed else "source.failing"

    def _kind(self, number: int) -> str:
        fault = self.polls[number].fault
        if fault in ANSWERS or not fault:
            return "answer"
        return fault if fault in {"401", "403"} else "passing"

    def _breaks(self, number: int, kind: str) -> tuple[bool, bool]:
        """Tell whether the account must, and whether it may, be said to fail from here on."""
        if kind in {"answer", "401"}:
            return kind == "401", kind == "401"
        sure = self._row(number, kind, over=False)
        clear = [n for n in sure if not self._is_unreachable(n)]
        if kind == "passing" and self.polls[number].watched > 1:
            sure = sure[: next((i for i, n in enumerate(sure) if n not in clear), len(sure))]
        watched = self.polls[number].watched
        must = self._is_long(sure, kind, watched) and self._batches(sure) >= min(2, watched)
        rows = (self._row(number, kind, over=over) for over in (False, True))
        return must, any(self._is_long(row, kind, watched) for row in rows)

    def _row(self, number: int, kind: str, *, over: bool) -> list[int]:
        """Return the polls of one kind up to this one, maybe over those of unreachable batches."""
        row = []
        for n in range(number, -1, -1):
            if self._kind(n) == kind:
                row.append(n)
            elif not (over and self._kind(n) == "passing" and self._is_unreachable(n)):
                break
        return row

    def _is_long(self, row: list[int], kind: str, watched: int) -> bool:
        if kind == "403":
            return len(row) >= 3 or self._batches(row) >= watched
        span = [self.polls[n].at for n in row]
        return len(row) >= 5 and max(span) - min(span) >= TWO_MINUTES

    def _batches(self, row: list[int]) -> int:
        return len({self.polls[n].batch for n in row})

    # one of its batches

    def _is_unreachable(self, number: int) -> bool:
        """Tell whether the batch of a poll was called unreachable before it."""
        for n in range(number - 1, -1, -1):
            if self.polls[n].batch == self.polls[number].batch:
                if self.polls[n].tells("batch.unreachable"):
                    return True
                if self.polls[n].shown:
                    return False
        return False

    def _becomes_unreachable(self, number: int) -> bool:
        if self.fails[number] or self._is_unreachable(number):
            return False
        every = list(self._missed(number))
        count = [n for n in every if not self.fails[n] and not self._excused(n)]
        if self._is_refused(count) or self._is_lost(number, count, sure=True):
            return True
        every = [n for n in every if not self._excused(n, over=False)]
        doubt = self._is_refused(every) or self._is_lost(number, every, sure=False)
        return doubt and self.polls[number].tells("batch.unreachable")

    def _missed(self, number: int) -> Iterator[int]:
        """Yield this poll and those before it that brought no reading of its batch."""
        for n in range(number, -1, -1):
            if self.polls[n].batch == self.polls[number].batch:
                if self.polls[n].shown:
                    return
                yield n

    def _excused(self, number: int, *, over: bool = True) -> bool:
        """Tell whether a poll is a 403 of a row by which the account failed."""
        if self._kind(number) != "403":
            return False
        later = [n for n in range(number, len(self.fails)) if self._kind(n) == "403"]
        return any(
            number in self._row(n, "403", over=over) and self.polls[n].tells("source.failing")
            for n in later
        )

    def _is_refused(self, missed: list[int]) -> bool:
        return len(missed) >= 5 and all(self.polls[n].fault in REFUSALS for n in missed[:5])

    def _is_lost(self, number: int, missed: list[int], *, sure: bool) -> bool:
        ended = max((n for n in range(number + 1) if self._ends_failing(n)), default=-1)
        row = [n for n in missed if n >= ended] if sure else missed
        if len(row) < 5 or self.polls[number].at - self.polls[row[-1]].at < TWO_MINUTES:
            return False
        return any(
            self._kind(n) == "answer"
            and self.polls[n].at >= self.polls[row[-1]].at
            and (not sure or self.polls[n].run == self.polls[number].run)
            for n in range(number + 1)
        )

    def _ends_failing(self, number: int) -> bool:
        return self.polls[number].tells("source.recovered")


def _event(event_type: str, told: int, **data: Any) -> dict[str, Any]:
    return {"type": event_type, "data": {"sequence": told + 1, **data}}
