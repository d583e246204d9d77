"""A life: what a simulated batch shows, one document after another."""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random
from typing import Any

from monitor.simulator.dialling import Lists

Clock = Callable[[], float]
"""Seconds that only go forward, such as `time.monotonic`."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One document, encoded once, and for how many seconds it is shown.

    `lists` are shown at paths of their own, page by page.
    """

    body: bytes
    lasts: float = 0.0
    lists: Lists = field(default_factory=dict)

    @property
    def document(self) -> Any:
        """Decode the body; raises ValueError if it was made to be no JSON."""
        return json.loads(self.body)


def step(shown: Document | bytes, *, lasts: float = 0.0, lists: Lists | None = None) -> Step:
    """Encode one document; bytes are shown as they are, however hostile."""
    body = shown if isinstance(shown, bytes) else json.dumps(shown, ensure_ascii=False).encode()
    return Step(body=body, lasts=lasts, lists=lists or {})


def spread(shown: Sequence[Document | Step], *, seconds: float, dice: Random) -> list[Step]:
    """Show the documents for uneven times that add up; the last one comes at the very end."""
    steps = [each if isinstance(each, Step) else step(each) for each in shown]
    weights = [dice.uniform(0.5, 1.5) for _ in steps[:-1]]
    share = seconds / (sum(weights) or 1.0)
    return [
        replace(each, lasts=weight * share)
        for each, weight in zip(steps, [*weights, 0.0], strict=True)
    ]


class Life:
    """Show the steps in turn: by the clock from now on, or, without one, by `advance`.

    The last step is shown for ever.
    """

    def __init__(self, steps: Sequence[Step], *, clock: Clock | None = None) -> None:
        if not steps:
            raise ValueError("a life needs at least one step")
        self.steps = tuple(steps)
        self._ends = list(accumulate(s.lasts for s in self.steps[:-1]))
        self._clock = clock
        self._born = 0.0 if clock is None else clock()
        self._index = 0

    @property
    def index(self) -> int:
        """Tell which step is shown, from 0."""
        if self._clock is not None and self._index < len(self._ends):
            self._index = max(self._index, bisect_right(self._ends, self._clock() - self._born))
        return self._index

    @property
    def current(self) -> Step:
        """Return the step that is shown."""
        return self.steps[self.index]

    @property
    def over(self) -> bool:
        """Return whether the last step is shown."""
        return self.index == len(self._ends)

    def advance(self, steps: int = 1) -> Step:
        """Go on by hand, also ahead of the clock; return the step that is shown now."""
        self._index = min(self.index + steps, len(self._ends))
        return self.current
