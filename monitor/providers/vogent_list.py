"""Vogent's list of the workspace's batch dial jobs."""

from collections.abc import AsyncGenerator
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import quote

from monitor.core.discovery import DiscoveryAnswer, too_large
from monitor.providers.api import Api
from monitor.providers.discovery import DiscoverySettings, Sieve, on_page
from monitor.providers.document import invalid
from monitor.providers.entries import EntryReader

PAGE: Final = 100
PAGES_LIMIT: Final = 100


class VogentFinder:
    """Find the jobs of a Vogent workspace, page by page."""

    def __init__(self, api: Api, settings: DiscoverySettings) -> None:
        self._api = api
        self._settings = settings
        self.every = settings.every

    async def find(self, *, now: datetime) -> AsyncGenerator[DiscoveryAnswer, None]:
        """Yield what each request brought; raise PollError also for a list that begins again."""
        cursors: set[str] = set()
        path = f"/batch_dial_jobs?limit={PAGE}"
        for number in range(1, PAGES_LIMIT + 1):
            sieve = Sieve(self._settings, now=now)
            take = partial(sieve.take_entry, id_="id", created_at="createdAt", name="name")
            reader = EntryReader({"id", "createdAt", "status", "name"}, take, paged=True)
            with on_page(number):
                await self._api.fetch(path, reader.take)
                reader.close()
            yield sieve.found()
            cursor = reader.cursor
            if cursor is None:
                return
            if cursor in cursors:
                raise invalid("the list begins again")
            cursors.add(cursor)
            path = f"/batch_dial_jobs?limit={PAGE}&cursor={quote(cursor, safe='')}"
        yield DiscoveryAnswer(failure=too_large(PAGES_LIMIT, "pages"))
