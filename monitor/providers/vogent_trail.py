"""A trail: what the last census of a job leaves for the next."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from monitor.providers.vogent_page import Page, Rows

TRAILS_LIMIT: Final = 1_000
ROWS_LIMIT: Final = 100_000
"""Of all trails together: some 20 MiB."""


@dataclass(slots=True, kw_only=True)
class Bookmark:
    """Mark how far a job's dials have all ended: the next census goes on there.

    That is right while the list grows at its end alone. The proof: its first page is as it was.
    """

    first: Rows
    rows: Rows
    """All that come before the cursor."""
    cursor: str


@dataclass(slots=True, kw_only=True)
class Trail:
    """What was learned of one job's lists."""

    bookmark: Bookmark | None = None
    trusted: bool = True
    """False: the dials do not come in one lasting order."""
    censuses: int = 0
    """Since all was read."""
    unfinished: bool = False
    """The last census did not get to the end: the next one goes on where it stopped."""
    failures: int = 0
    """Censuses in a row that met a list that cannot be read."""
    rests_until: float = 0.0
    """By the loop's clock."""

    @property
    def rows(self) -> int:
        """Return how many calls it remembers."""
        return 0 if self.bookmark is None else len(self.bookmark.rows)

    def seal(self, page: Page) -> bool:
        """Move the bookmark over a page of ended calls; return whether that can be done."""
        if not self.trusted or page.cursor is None:
            return False
        if self.bookmark is None:
            self.bookmark = Bookmark(first=page.rows, rows=dict(page.rows), cursor=page.cursor)
        else:
            self.bookmark.rows |= page.rows
            self.bookmark.cursor = page.cursor
        return True

    def distrust(self) -> None:
        """Make no bookmark any more."""
        self.trusted = False
        self.bookmark = None


class Trails:
    """Keep the trails of the jobs that were counted last, within bounds."""

    def __init__(self) -> None:
        self._trails: OrderedDict[str, Trail] = OrderedDict()
        self._rows = 0

    def pop(self, job_id: str) -> Trail:
        """Take a job's trail out, or a fresh one."""
        trail = self._trails.pop(job_id, None) or Trail()
        self._rows -= trail.rows
        return trail

    def put(self, job_id: str, trail: Trail) -> None:
        """Keep a trail, and forget the oldest where there is no room."""
        self._trails[job_id] = trail
        self._rows += trail.rows
        while len(self._trails) > TRAILS_LIMIT or self._rows > ROWS_LIMIT:
            self._rows -= self._trails.popitem(last=False)[1].rows
