"""The ending: what the show amounted to, and whether all that was served has arrived."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.demo.moment import Moment
from monitor.demo.screen import write_latency

_NEXT: Final = (
    "monitor init                    writes a config.toml to begin with",
    "monitor poll bolna-prod BATCH   reads one of your batches: is the key right?",
    "monitor run                     starts the daemon; more: `monitor --help`",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Hold the last moment, and what is missing by then."""

    moment: Moment
    missing: Sequence[str]
    interrupted: bool

    @property
    def well(self) -> bool:
        """Tell whether everything served has arrived, whole, verified and in order."""
        tally = self.moment.tally
        return not (self.missing or tally.gaps or tally.bad_signatures)

    def lines(self) -> Iterator[str]:
        """Write the summary, and what to do next."""
        yield self._verdict()
        yield ""
        for name, value in self._facts().items():
            yield f"  {name:<15}{value:>8}"
        for lost in self.missing:
            yield f"  missing: {lost}"
        yield ""
        yield "Next, with an account of your own:"
        for line in _NEXT:
            yield f"  {line}"

    def _verdict(self) -> str:
        if not self.well:
            return "monitor demo: not all that was served has arrived as it should"
        until = " until you ended it" if self.interrupted else ""
        return f"monitor demo: all that was served{until} has arrived, verified"

    def _facts(self) -> dict[str, str]:
        tally, watches = self.moment.tally, self.moment.watches
        ended = sum(bool(w.known and w.known.settled_at) for w in watches)
        latency = tally.median_latency
        return {
            "batches": f"{len(watches):,}",
            "of them ended": f"{ended:,}",
            "polls": f"{tally.polls:,}",
            "events": f"{tally.events:,}",
            "delivered": f"{tally.delivered:,}",
            "verified": f"{tally.verified:,}",
            "duplicates": f"{tally.duplicates:,}",
            "bad signatures": f"{tally.bad_signatures:,}",
            "gaps": f"{tally.gaps:,}",
            "missing": f"{len(self.missing):,}",
            "median latency": "-" if latency is None else write_latency(latency),
        }
