"""The narrator: tells a terminal what the daemon watches and whom it tells, and what happens."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from rich.text import Text

from monitor import __version__
from monitor.cli.next_step import command, ways_to_watch
from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.core.errors import StorageError
from monitor.daemon.reload import Reload
from monitor.facts.delivery import DeliveryFacts, Wait
from monitor.facts.route import write_matcher
from monitor.logs import way_out
from monitor.screen.console import make_console, safe, say
from monitor.screen.event_line import write_told
from monitor.setting_types import write_duration
from monitor.storage.counts import count_batches
from monitor.storage.deliveries.read import deliveries_of_events
from monitor.storage.events.follow import Follower
from monitor.storage.events.read import EventView
from monitor.storage.sql import PAGE, chunks

LOOK: Final = 0.5
"""Seconds between two looks."""
PATIENCE: Final = 5.0
"""Seconds for which an event's line waits for its deliveries."""
FRIENDLY: Final = "auto"
"""The `log_format` that has a narrator on a terminal."""


@dataclass(slots=True, kw_only=True)
class _Line:
    """An event whose line waits for its deliveries."""

    event: EventView
    document: Any
    give_up_at: float
    deliveries: list[DeliveryFacts] = field(default_factory=list)

    @property
    def is_due(self) -> bool:
        """Return whether nothing more is worth waiting for."""
        open_ = (one for one in self.deliveries if one.view.state is DeliveryState.PENDING)
        return time.monotonic() > self.give_up_at or all(
            one.waits_for is Wait.HOLD or one.view.attempts for one in open_
        )


class Narrator:
    """Tell what the config in force asks for, then each event with its deliveries, a line each.

    Lines leave as those of the log do, so that a terminal that stands still keeps nobody waiting.
    """

    def __init__(self, reload: Reload) -> None:
        self._reload = reload
        self._database = reload.database
        self._console = make_console()
        self._out = way_out(sys.stdout)
        self._introduced: Config | None = None
        self._follower = self._follow_from_now()
        self._waiting: dict[str, _Line] = {}

    async def run(self) -> None:
        """Tell for ever; while the database is away, which the log says, nothing."""
        while True:
            with suppress(StorageError):
                await self._look()
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        config = self._reload.config
        if config.monitor.log_format != FRIENDLY:
            self._follower, self._waiting = self._follow_from_now(), {}
            return
        if config != self._introduced:
            self._write(introduce(config, await self._numbers()))
            self._introduced = config
        async for event in self._follower.look():
            self._waiting[event.id] = _Line(
                event=event,
                document=json.loads(event.body),
                give_up_at=time.monotonic() + PATIENCE,
            )
        await self._tell(config)

    def _follow_from_now(self) -> Follower:
        return Follower(self._database, since=self._reload.engine.clock.now())

    async def _numbers(self) -> Counter[str]:
        """Count the watched batches by source."""
        numbers: Counter[str] = Counter()
        for (source, _), found in (await count_batches(self._database)).items():
            numbers[source] += found.number
        return numbers

    async def _tell(self, config: Config) -> None:
        """Write the events whose deliveries are settled, or take too long."""
        for line in self._waiting.values():
            line.deliveries = []
        for ids in chunks(list(self._waiting), PAGE):
            for view in await deliveries_of_events(self._database, ids):
                self._waiting[view.event_id].deliveries.append(DeliveryFacts.of(view, config))
        due = [line for line in self._waiting.values() if line.is_due]
        for line in due:
            del self._waiting[line.event.id]
        self._write(map(self._write_line, due))

    def _write_line(self, line: _Line) -> Text:
        tail = write_deliveries(line.deliveries)
        return write_told(line.event, line.document, tail, width=self._console.width)

    def _write(self, lines: Iterable[Text]) -> None:
        for line in lines:
            with self._console.capture() as captured:
                self._console.print(line, soft_wrap=True)
            self._out.write(captured.get())


def introduce(config: Config, numbers: Counter[str]) -> Iterator[Text]:
    """Say what is watched, who is told, and what to do if that is nothing or nobody."""
    yield safe(f"monitor {__version__} watches", "bold")
    yield from _aligned((name, _watched(config, name, numbers[name])) for name in config.sources)
    yield safe("and tells" if config.receivers else "and tells nobody: see [[routes]]", "bold")
    yield from _aligned((name, _heard(config, name)) for name in config.receivers)
    if not config.sources or not any(map(numbers.__getitem__, config.sources)):
        yield from _nothing_watched(config)
    tests = [command(f"test {name}", config) for name in config.receivers][:1]
    tries = [*tests, command("list", config)]
    yield safe(f"Ctrl-C ends it; beside it, in another terminal: {', '.join(tries)}", "dim")


def _watched(config: Config, name: str, number: int) -> str:
    settings = config.sources[name]
    batches = "no batch yet" if number == 0 else "1 batch" if number == 1 else f"{number:,} batches"
    if settings.discover is not None:
        batches += f", looks for new ones every {write_duration(settings.discover.every)}"
    return f"{settings.provider}: {batches}"


def _heard(config: Config, name: str) -> str:
    """Write which events a receiver gets."""
    routes = [route for route in config.routes if route.receiver == name]
    every = any(not route.matchers for route in routes)
    matched = (" and ".join(map(write_matcher, route.matchers)) for route in routes)
    what = "everything" if every else " or ".join(matched) or "nothing: no route leads to it"
    return f"{config.receivers[name].kind}: {what}"


def _nothing_watched(config: Config) -> Iterator[Text]:
    """Say that nothing is watched yet, and how that changes."""
    if not config.sources:
        yield safe("nothing is watched: give each account a [sources.NAME] table", "yellow")
        return
    if any(source.discover is not None for source in config.sources.values()):
        yield safe("no batch is watched yet: what discovery finds is told here", "yellow")
        return
    source = next(iter(config.sources))
    yield safe(f"no batch is watched yet: {', or '.join(ways_to_watch(config, source))}", "yellow")


def _aligned(rows: Iterable[tuple[str, str]]) -> Iterator[Text]:
    found = list(rows)
    width = max((len(name) for name, _ in found), default=0)
    for name, text in found:
        yield Text("  ") + safe(f"{name:<{width}}  ") + safe(text)


def write_deliveries(deliveries: Sequence[DeliveryFacts]) -> Text:
    """Write who was told of an event, and how that went: `-> ops 0.2 s, crm held`."""
    if not deliveries:
        return safe("-> nobody", "dim")
    names = (safe(f"{one.view.receiver} ") + say(one.brief) for one in deliveries)
    return safe("-> ", "dim") + Text(", ").join(names)
