"""The curtain: the clock of the lives, which stands still before and after the show."""

import time


class Curtain:
    """Count the seconds of the show; lives that take `elapsed` for their clock wait for it."""

    def __init__(self) -> None:
        self._risen_at: float | None = None
        self._fallen_at: float | None = None

    def rise(self) -> None:
        """Begin."""
        self._risen_at = time.monotonic()

    def fall(self) -> None:
        """End: nobody lives on."""
        self._fallen_at = time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds since it rose, until it fell."""
        if self._risen_at is None:
            return 0.0
        return (self._fallen_at or time.monotonic()) - self._risen_at
