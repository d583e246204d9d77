"""A census: how every call of a job stands, from the lists of its dials and of its queue."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers.calls import CallStanding
from monitor.providers.document import invalid
from monitor.providers.vogent_page import Page, Rows
from monitor.providers.vogent_trail import Trail, Trails
from monitor.providers.words import Dictionary

PAGES_LIMIT: Final = 200
ROWS_LIMIT: Final = 50_000
"""Of one census: a job with more is not counted, rather than counted wrong."""
WHOLE_EVERY: Final = 20
"""Censuses, of which the others trust that a page of ended calls has not changed."""
FEW_PAGES: Final = 10
REST: Final = 2.0
"""Seconds per page until the next census, after one that took more than a few."""
REFUSED_REST: Final = 60.0
"""Seconds until the next census, after several in a row met a list that cannot be read."""
AT_ONCE: Final = 4
"""Censuses of one account: few that end rather than many that do not."""

BURST: Final = 5.0
"""Seconds' worth of pages that may be asked for at once, as with polls."""

Listing = Literal["queue", "dials"]
Fetch = Callable[[str, Listing, str], Awaitable[Page]]
"""Fetch the page of a job's list that begins at a cursor, "" for the first; raise PollError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The status of each call by its id: of those that were dialled, and of the others."""

    dials: Rows
    waiting: Rows


class Census:
    """Count the calls of jobs, and remember of each job where not to look again."""

    def __init__(self, fetch: Fetch, *, dials: bool, rate: float) -> None:
        self._fetch = fetch
        self._dials = dials
        self._spending = Spending(rate)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._trails = Trails()

    async def take(self, job_id: str, *, until: float, decisive: bool) -> Lists | None:
        """Return who is in the lists; without `dials` only who waits.

        None: it is too soon to read long lists again. No page is asked for after `until`, by the
        loop's clock, nor faster than the account's rate. A decisive census looks at everything, at
        once. Raises PollError if a page cannot be had (nothing but that is remembered then), of
        kind `too_large` if the lists are longer than time or room allows.

        Dials come before the queue: a call that is dialled between the two is missed for once. The
        other way round it could count twice, and the total never shrinks.
        """
        trail = self._trails.pop(job_id)
        if trail.rests_until > _now() and not decisive:
            self._trails.put(job_id, trail)
            return None
        if (decisive or trail.censuses >= WHOLE_EVERY) and not trail.unfinished:
            trail = Trail(failures=trail.failures)
        failures = trail.failures
        walk = _Walk(fetch=partial(self._fetch, job_id), spending=self._spending, until=until)
        try:
            async with self._places:
                dials = await walk.read_dials(trail) if self._dials else {}
                queue = await walk.read_queue()
        except PollError:
            rest = REFUSED_REST if failures else 0.0
            self._trails.put(job_id, Trail(failures=failures + 1, rests_until=_now() + rest))
            raise
        trail.failures, trail.unfinished = 0, walk.stopped
        trail.censuses += 1
        pages = walk.pages if walk.stopped else walk.pages - walk.sealed
        trail.rests_until = _now() + REST * pages if pages > FEW_PAGES else 0.0
        self._trails.put(job_id, trail)
        if walk.stopped:
            raise PollError(FailureKind.TOO_LARGE, 200)
        waiting = {id_: status for id_, status in queue.items() if id_ not in dials}
        return Lists(dials=dials, waiting=waiting)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Go through the lists of one job, page by page, until time or room is spent."""

    fetch: Callable[[Listing, str], Awaitable[Page]]
    spending: "Spending"
    until: float
    pages: int = 0
    sealed: int = 0
    """Pages that need not be read next time."""
    stopped: bool = False
    """It did not get to the end."""
    seen: set[tuple[Listing, str]] = field(default_factory=set)

    async def read_queue(self) -> Rows:
        rows: Rows = {}
        page = await self._page("queue")
        while page is not None:
            rows |= page.rows
            page = await self._next("queue", page, rows)
        return rows

    async def read_dials(self, trail: Trail) -> Rows:
        """Go on at the bookmark, if it holds, and move it over the pages of ended calls."""
        rows: Rows = {}
        page = await self._page("dials")
        if page is not None and trail.bookmark is not None:
            if page.rows == trail.bookmark.first:
                rows = dict(trail.bookmark.rows)
                page = await self._page("dials", trail.bookmark.cursor)
            else:
                trail.distrust()
        sealing = True
        while page is not None:
            if not rows.keys().isdisjoint(page.rows):
                trail.distrust()
            sealing = sealing and _has_ended(page) and trail.seal(page)
            self.sealed += sealing
            rows |= page.rows
            page = await self._next("dials", page, rows)
        return rows

    async def _next(self, listing: Listing, page: Page, rows: Rows) -> Page | None:
        if page.cursor is None:
            return None
        if len(rows) >= ROWS_LIMIT:
            self.stopped = True
            return None
        return await self._page(listing, page.cursor)

    async def _page(self, listing: Listing, cursor: str = "") -> Page | None:
        if (listing, cursor) in self.seen:  # it would go round for ever
            raise invalid()
        self.seen.add((listing, cursor))
        if self.pages >= PAGES_LIMIT or not await self.spending.draw(until=self.until):
            self.stopped = True
            return None
        self.pages += 1
        return await self.fetch(listing, cursor)


class Spending:
    """Spread an account's requests for pages: each is asked for when the rate allows it.

    The budget of the source hears of them only afterwards; without this, many long jobs at once
    would spend minutes of it within a second.
    """

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._free_at = 0.0

    async def draw(self, *, until: float) -> bool:
        """Wait for the next turn; return whether it comes before `until`, by the loop's clock."""
        now = _now()
        at = max(self._free_at, now - BURST)
        if max(at, now) >= until:
            return False
        self._free_at = at + self._step
        await asyncio.sleep(max(0.0, at - now))
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()


def _has_ended(page: Page) -> bool:
    return all(standing(status) is CallStanding.FINAL for status in page.rows.values())


_FINAL: Final = frozenset(
    {"completed", "failed", "canceled", "cancelled", "busy", "noanswer", "undialled"}
)
_DIALS: Final[dict[CallStanding, Collection[str]]] = {
    CallStanding.FINAL: _FINAL,
    CallStanding.QUEUED: ("queued",),
    CallStanding.LIVE: ("ringing", "inprogress"),
}
standing: Final = Dictionary(_DIALS, other=CallStanding.UNKNOWN)
"""Say what a dial's status means."""
