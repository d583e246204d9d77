"""A look at a provider's lists: what discovery would find, no faster than the budget allows."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from monitor.core.budget import debt, fill, spend
from monitor.core.discovery import (
    FOUND_LIMIT,
    NO_ENTRIES,
    DiscoveryAnswer,
    Entries,
    ListEntry,
    too_large,
)
from monitor.core.errors import PollError
from monitor.engine.ports import Finder

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

Draw = Callable[[], Awaitable[timedelta]]
"""Takes a request off a budget; returns how long to wait before it is made."""


@dataclass(slots=True, kw_only=True)
class Purse:
    """A budget of one's own, full at first: for a source that no daemon draws from."""

    rate: float
    """Requests a second."""
    _tokens: float = math.inf
    _since: datetime = _LONG_AGO

    async def draw(self) -> timedelta:
        """Take a request off now; return for how long the next one waits."""
        return self.draw_at(datetime.now(UTC))

    def draw_at(self, now: datetime) -> timedelta:
        """Do so at a time."""
        filled = fill(self._tokens, rate=self.rate, since=self._since, now=now)
        self._tokens, self._since = spend(filled, 1, rate=self.rate), now
        return debt(self._tokens, rate=self.rate)


@dataclass(slots=True, kw_only=True)
class Lists:
    """What an account's lists brought."""

    batches: dict[str, ListEntry] = field(default_factory=dict)
    entries: Entries = NO_ENTRIES
    failures: list[tuple[str | None, PollError]] = field(default_factory=list)
    """Each with the agent whose list it is; None: the account's, which ended the look."""

    def add(self, found: DiscoveryAnswer) -> None:
        """Take one answer."""
        self.entries = self.entries.plus(found.entries)
        if found.failure is not None:
            self.failures.append((found.agent, found.failure))
        for batch in found.batches:
            self.batches.setdefault(batch.id, batch)

    @property
    def newest_first(self) -> list[ListEntry]:
        """Return the batches; those whose age nobody knows come last."""
        batches = self.batches.values()
        return sorted(batches, key=lambda batch: batch.created_at or _LONG_AGO, reverse=True)


async def look(finder: Finder, draw: Draw) -> Lists:
    """Go through an account's lists; what failed is told beside what came."""
    lists = Lists()
    try:
        async for found in _answers(finder, draw):
            lists.add(found)
            if len(lists.batches) > FOUND_LIMIT:
                lists.failures.append((None, too_large(FOUND_LIMIT, "batches")))
                break
    except PollError as error:
        lists.failures.append((None, error))
    return lists


async def _answers(finder: Finder, draw: Draw) -> AsyncIterator[DiscoveryAnswer]:
    async with aclosing(finder.find(now=datetime.now(UTC))) as lists:
        while True:
            await asyncio.sleep((await draw()).total_seconds())
            found = await anext(lists, None)
            if found is None:
                return
            yield found
