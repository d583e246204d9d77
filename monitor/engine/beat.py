"""A beat: when a loop last came round, by the monotonic clock."""

import asyncio


class Beat:
    """Tell a loop that hangs from one that turns, whatever the wall clock does.

    A pass that ended in an error counts as a turn. `every` is the longest pause, in seconds, that
    the loop makes between two passes.
    """

    def __init__(self, *, every: float) -> None:
        self._every = every
        self._turned_at = _now()

    def turn(self) -> None:
        """Note that the loop comes round."""
        self._turned_at = _now()

    @property
    def overdue(self) -> float:
        """Return for how many seconds the loop should have come round; 0 while all is well."""
        return max(0.0, _now() - self._turned_at - self._every)


def _now() -> float:
    return asyncio.get_running_loop().time()
