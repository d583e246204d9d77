"""Presenters: a live screen for a terminal, lines for everything else."""

from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor.demo.consumer import Accepted
from monitor.demo.moment import Moment, Summarise
from monitor.demo.screen import draw, write_latency
from monitor.demo.stage import Stage
from monitor.net.redact import printable


class Presenter(Protocol):
    """Show moments until it is left."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...

    def show(self, moment: Moment, stage: Stage) -> None:
        """Show one."""


class LiveScreen:
    """Draw each moment over the last one, on a screen of its own that is gone at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def show(self, moment: Moment, _stage: Stage) -> None:
        """Draw it to the terminal's size of now."""
        width, height = self._console.size
        self._live.update(draw(moment, width=width, height=height), refresh=True)


class Lines:
    """Write a line for each event that the consumer has accepted."""

    def __init__(self, console: Console, summarise: Summarise) -> None:
        self._console = console
        self._summarise = summarise
        self._doing = ""
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def show(self, moment: Moment, stage: Stage) -> None:
        """Write what is new."""
        if moment.doing != self._doing:
            self._doing = moment.doing
            self._write(f"monitor demo: {moment.doing}")
        names = {role.id: role.name for role in stage.roles}
        for event in stage.consumer.accepted[self._written :]:
            self._written += 1
            self._write(self._line(event, names.get(event.document["subject"], "")))

    def _line(self, event: Accepted, name: str) -> str:
        document = event.document
        source = document["source"].rpartition("/")[2]
        told = (document["time"], document["type"], source, name, self._summarise(document))
        return "  ".join((*told, f"verified in {write_latency(event.latency)}"))

    def _write(self, line: str) -> None:
        self._console.print(Text(printable(line)), soft_wrap=True)
        self._console.file.flush()
