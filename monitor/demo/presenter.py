"""Presenters: a live screen for a terminal, lines for everything else."""

from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from monitor.core.event import stamp
from monitor.demo.drawing import draw
from monitor.demo.moment import Moment
from monitor.facts.times import write_latency
from monitor.screen.console import safe


class Presenter(Protocol):
    """Show moments until it is left."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...

    def show(self, moment: Moment) -> None:
        """Show one."""


class LiveScreen:
    """Each moment drawn over the last one, on a screen of its own that is gone at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def show(self, moment: Moment) -> None:
        """Draw it to the terminal's size of now."""
        width, height = self._console.size
        self._live.update(draw(moment, width=width, height=height), refresh=True)


class Lines:
    """A line for each event that the consumer has verified."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._doing = ""
        self._written: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

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
