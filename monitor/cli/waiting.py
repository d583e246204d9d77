"""What a wait for a batch's end sees, whether it is over, and how that looks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.cli.options import ANY_END
from monitor.core.batch import progress
from monitor.core.forecast import Forecast
from monitor.facts.batch import BatchFacts, Polling
from monitor.facts.calls import write_left_open, write_progress
from monitor.facts.pace import write_forecast
from monitor.facts.sentence import Sentence
from monitor.facts.times import write_short_time
from monitor.screen.console import safe, say
from monitor.screen.page import draw_progress, write_phase

_BAR_SPARE: Final = 46
"""Columns beside the bar that its words take."""
_LONGEST_BAR: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Why the wait is over, and the exit code that says so."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look at a batch: its state, its forecast, and what stands in the way."""

    batch: BatchFacts
    forecast: Forecast | None
    troubles: tuple[Sentence, ...]
    at: datetime

    @property
    def moved(self) -> tuple[object, ...]:
        """Return what makes a new line in a pipe when it changes."""
        known = self.batch.watch.known
        if known is None:
            return ()
        state = (known.status, known.phase, known.settled_at, known.stalled_at, known.is_overdue)
        return progress(known), state

    def end(self, wanted: str) -> End | None:
        """Return how it ended, if it did: settled, or removed, which ends all hope."""
        known = self.batch.watch.known
        if known is not None and known.settled_at is not None and known.outcome is not None:
            reason = f"{known.outcome}, settled {write_short_time(known.settled_at)}"
            if left := write_left_open(known):
                reason += f", {left}"
            if wanted in (known.outcome, ANY_END):
                return End(code=0, reason=reason)
            return End(code=1, reason=f"{reason}; waited for {wanted}")
        if self.batch.polling is Polling.REMOVED:
            return End(code=1, reason="removed: nobody reads it any more; `monitor add` does")
        return None

    def write(self) -> Text:
        """Write it as one line."""
        pace = write_forecast(self.forecast, now=self.at)
        calls = safe(write_progress(progress(self.batch.watch.known)))
        parts = (safe(write_short_time(self.at)), self._state(), calls, safe(pace))
        return Text("  ").join(part for part in parts if part)

    def draw(self, hope: str, *, width: int) -> RenderableType:
        """Draw it on a terminal of this width; `hope` says what is waited for."""
        watch = self.batch.watch
        title = Text.assemble(
            *(safe(watch.batch.source), " ", safe(watch.batch.id, "bold"), "  "),
            safe(self.batch.name, "dim"),
        )
        bar = max(10, min(width - _BAR_SPARE, _LONGEST_BAR))
        pace = safe(write_forecast(self.forecast, now=self.at))
        lines = [title, draw_progress(progress(watch.known), width=bar), self._state(), pace]
        return Group(*(line for line in lines if line), *map(say, self.troubles), safe(hope, "dim"))

    def _state(self) -> Text:
        known = self.batch.watch.known
        phase = write_phase(known)
        if known is None or known.status == known.phase:
            return phase
        return Text.assemble(phase, safe(f" ({known.status})", "dim"))
