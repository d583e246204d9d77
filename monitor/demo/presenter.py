"""Presenters: a live screen for a terminal, lines for everything else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from monitor.core.event import stamp
from monitor.demo.drawing import draw
from monitor.demo.moment import Moment
from monitor.facts.times import write_latency
from monitor.screen.console import safe

Present = Callable[[Moment], None]
"""Shows one moment."""


@contextmanager
def live_screen(console: Console) -> Iterator[Present]:
    """Draw each moment over the last one, on a screen of its own that is gone at the end."""

    def show(moment: Moment) -> None:
        width, height = console.size  # the terminal's of now
        live.update(draw(moment, width=width, height=height), refresh=True)

    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield show


class Lines:
    """A line for each event that the consumer has verified."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._doing = ""
        self._written: set[str] = set()

    def show(self, moment: Moment) -> None:
        """Write what is new."""
        if moment.doing != self._doing:
            self._doing = moment.doing
            self._write(f"monitor demo: {moment.doing}")
        for line in moment.lines:
            if line.latency is not None and line.id not in self._written:
                self._written.add(line.id)
                words = (stamp(line.at), line.type, line.source, line.name, line.what)
                self._write("  ".join((*words, f"verified in {write_latency(line.latency)}")))

    def _write(self, text: str) -> None:
        self._console.print(safe(text), soft_wrap=True)
        self._console.file.flush()
