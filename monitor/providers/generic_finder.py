"""The way through an API's list of batches: page after page, by a cursor or by counting."""

from collections.abc import AsyncGenerator
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import parse_qs, quote, unquote_plus, urlsplit, urlunsplit

from monitor.core.discovery import DiscoveryAnswer, too_large
from monitor.core.errors import PollError
from monitor.providers.api import Api
from monitor.providers.discovery import on_page
from monitor.providers.document import LARGEST_COUNT, invalid
from monitor.providers.generic_list import GenericDiscoverySettings, Listing, Page

PAGES_LIMIT: Final = 100
_GONE: Final = frozenset({404, 410})


class GenericFinder:
    """Find the batches of an account by its list."""

    def __init__(self, api: Api, settings: GenericDiscoverySettings, *, values_limit: int) -> None:
        self._api = api
        self._settings = settings
        self._listing = Listing(settings=settings, values_limit=values_limit)
        self.every = settings.every

    async def find(self, *, now: datetime) -> AsyncGenerator[DiscoveryAnswer, None]:
        """Yield what each request brought; raise PollError also for a list that begins again."""
        walk = _Walk(self._settings)
        for number in range(1, PAGES_LIMIT + 1):
            with on_page(number):
                page = await self._read(walk, now=now)
            yield page.found
            with on_page(number):
                if page.rest_is_old or not walk.turn(page):
                    return
        yield DiscoveryAnswer(failure=too_large(PAGES_LIMIT, "pages"))

    async def _read(self, walk: "_Walk", *, now: datetime) -> Page:
        try:
            return await self._api.read(walk.url, partial(self._listing.read, now=now))
        except PollError as error:
            if error.status_code in _GONE and walk.is_beyond_first:
                return Page(found=DiscoveryAnswer(), next=None, mark=b"")
            raise


class _Walk:
    """Go from page to page."""

    def __init__(self, settings: GenericDiscoverySettings) -> None:
        self.url = settings.url
        """Where the page is."""
        self._next = settings.next
        self._asked: set[str] = set()
        self._marks = {b""}
        self._entries = LARGEST_COUNT
        """How many batches the page before held."""

    @property
    def is_beyond_first(self) -> bool:
        """Return whether pages are counted, and one came: some APIs answer 404 after the last."""
        return len(self._marks) > 1

    def turn(self, page: Page) -> bool:
        """Turn to the page after this one, if there is one; raise PollError if it was read."""
        if self._next is None:
            return False
        parameter, step = self._next
        value = self._count(page, parameter, step) if isinstance(step, int) else page.next
        if value is None:
            return False
        if value in self._asked:
            raise invalid("the list begins again: check discover.next")
        self._asked.add(value)
        self.url = _asking(self.url, parameter, value)
        return True

    def _count(self, page: Page, parameter: str, step: int) -> str | None:
        """Return the next page's number or offset; none after one that is empty or came before.

        Raises PollError where batches were passed over.
        """
        if page.mark in self._marks:
            return None
        if self._entries < step > 1:
            raise invalid(f"a page holds {self._entries} batches: discover.next adds {step}")
        self._marks.add(page.mark)
        self._entries = page.found.entries.number
        first = 1 if step == 1 else 0
        return str(_number(self.url, parameter, first) + step)


def _number(url: str, parameter: str, first: int) -> int:
    """Return the number of the page that a URL asks for; the first one's where it has none."""
    (number, *_) = parse_qs(urlsplit(url).query).get(parameter, [""])
    return int(number) if number.isascii() and number.isdigit() else first


def _asking(url: str, parameter: str, value: str) -> str:
    """Return a URL whose query has this value of a parameter, whatever it had before."""
    parts = urlsplit(url)
    name = quote(parameter, safe="")
    others = (pair for pair in parts.query.split("&") if pair)
    kept = (pair for pair in others if unquote_plus(pair.partition("=")[0]) != parameter)
    query = "&".join((*kept, f"{name}={quote(value, safe='')}"))
    return urlunsplit(parts._replace(query=query))
