"""Vogent: its settings, and how a batch dial job's document reads in our words."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import ClassVar, Final, Literal, Self
from urllib.parse import urlencode

from monitor.core.batch import COUNTS_LIMIT, Knowledge, Outcome, Phase, Reading
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind, Matter, matter_of
from monitor.providers.account import AccountSettings
from monitor.providers.api import Api, quote_id
from monitor.providers.calls import weigh
from monitor.providers.discovery import Discover, DiscoverySettings
from monitor.providers.document import check_id, decode, invalid, read_name, read_status
from monitor.providers.vogent_census import Census, Listing, Lists, standing
from monitor.providers.vogent_list import VogentFinder
from monitor.providers.vogent_page import QUEUED, Page, PageReader
from monitor.providers.vogent_schedule import read_schedule
from monitor.providers.words import Dictionary
from monitor.setting_types import Rate

_PHASES: Final[dict[tuple[Phase, Outcome | None], tuple[str, ...]]] = {
    (Phase.PENDING, None): ("INIT",),
    (Phase.RUNNING, None): ("ACTIVE",),
    (Phase.PAUSED, None): ("PAUSED",),
    (Phase.ENDED, Outcome.COMPLETED): ("COMPLETE",),
    (Phase.ENDED, Outcome.CANCELLED): ("CANCELLED",),
}
_phase: Final = Dictionary(_PHASES, other=(Phase.UNKNOWN, None))


class VogentSettings(AccountSettings):
    """Parse the table of a Vogent account."""

    known_statuses: ClassVar[tuple[str, ...]] = tuple(chain.from_iterable(_PHASES.values()))

    provider: Literal["vogent"]
    """Which provider's API this is."""
    base_url: str = "https://api.vogent.ai/api"
    rate_limit: Rate = 300 / 60
    """Most requests to the account, including pages of `counts` and lists of `discover`. Vogent
    publishes no limit; the default is careful."""
    counts: Literal["full", "queue", "off"] = "full"
    """Where the counts of jobs come from that run or have just ended. `full` reads the queue and
    all dials, page by page. `queue` reads only the queue: a call that left it counts as `dialled`,
    whatever its result. `off` reads neither: the monitor cannot see calls move, and no job becomes
    stalled."""
    discover: Discover = None
    """Find the workspace's jobs and watch them: `true`, or a table that says which ones."""

    @property
    def requests_per_poll(self) -> int:
        """Count the job itself, its queue and its dials."""
        return {"full": 3, "queue": 2, "off": 1}[self.counts]

    def listing(self) -> Self:
        """Return what lists the workspace's jobs: as `discover` says, else by its defaults."""
        if self.discover is not None:
            return self
        return self.model_copy(update={"discover": DiscoverySettings()})


PAGE_SIZE: Final = 100
"""Rows asked for at a time; each dial brings its whole transcript."""
DIALLED: Final = "dialled"
"""What we call the calls that left the queue when nobody reads how they went."""
UNDIALLED: Final = "undialled"
"""What we call those that a job leaves in its queue when it has ended: final, nobody dials them."""
_JOBS: Final = "/batch_dial_jobs"


class Vogent:
    """Read the batch dial jobs of one Vogent account."""

    def __init__(self, api: Api, settings: VogentSettings) -> None:
        self._api = api
        self._counts = settings.counts
        self.finder = None if settings.discover is None else VogentFinder(api, settings.discover)
        self._census = Census(
            self._fetch_page, dials=settings.counts == "full", rate=settings.rate_limit
        )
        self.extra_requests = 0

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        """Return one reading of one batch, or raise PollError.

        It ends within two deadlines: within the first one all its requests begin. Lists that
        cannot be read cost the counts, not the reading, unless they speak of the account.
        """
        began = asyncio.get_running_loop().time()
        reading = parse(await self._api.fetch(f"{_JOBS}/{quote_id(batch_id)}"), batch_id)
        if self._counts == "off":
            return replace(reading, counted=False)
        if not _may_move(reading, known):
            return reading
        try:
            return await self._count(batch_id, reading, known, began=began)
        except TimeoutError:
            return replace(reading, counted=False, uncounted=FailureKind.TIMEOUT)
        except PollError as error:
            if matter_of(error.kind) is Matter.KEY or error.kind is FailureKind.RATE_LIMITED:
                raise  # it speaks of the whole account
            return replace(reading, counted=False, uncounted=error.kind)

    async def _count(
        self, batch_id: str, reading: Reading, known: Knowledge | None, *, began: float
    ) -> Reading:
        deadline = self._api.deadline.total_seconds()
        async with asyncio.timeout_at(began + 2 * deadline):
            calls = await self._census.take(
                batch_id, until=began + deadline, decisive=_is_decisive(reading, known)
            )
        if calls is None:
            return replace(reading, counted=False)
        waiting = UNDIALLED if _has_lasted(reading, known) else QUEUED
        seen = known.total_contacts if known is not None and self._counts == "queue" else None
        return _with_calls(reading, calls, waiting=waiting, seen=seen or 0)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def _fetch_page(self, job_id: str, listing: Listing, cursor: str) -> Page:
        self.extra_requests += 1
        query = urlencode({"limit": PAGE_SIZE} | ({"cursor": cursor} if cursor else {}))
        reader = PageReader(statuses=listing == "dials")
        await self._api.fetch(f"{_JOBS}/{quote_id(job_id)}/{listing}?{query}", reader.take)
        return reader.close()


def parse(document: bytes, batch_id: str) -> Reading:
    """Put a job's document in our words; raise PollError if it cannot be that job's.

    The id and the status must be there. It holds no counts, totals or start. The docs:
    https://docs.vogent.ai
    """
    fields = decode(document)
    if fields.get("id") is None:  # required, says the documentation
        raise invalid()
    check_id(fields["id"], batch_id)
    status = read_status(fields.get("status"))
    phase, outcome = _phase(status)
    return Reading(
        status=status,
        phase=phase,
        outcome=outcome,
        name=read_name(fields.get("name")),
        schedule=read_schedule(fields.get("schedule")),
    )


def _may_move(reading: Reading, known: Knowledge | None) -> bool:
    """Return whether calls may have moved since: nobody starts or ends one before or long after."""
    if reading.phase is Phase.ENDED:
        return known is None or known.settled_at is None or known.open_calls > 0
    return reading.phase is not Phase.PENDING


def _is_decisive(reading: Reading, known: Knowledge | None) -> bool:
    """Return whether much hangs on these counts: the first ones of a phase, or those of an end."""
    if known is None or known.phase is not reading.phase:
        return True
    return reading.phase is Phase.ENDED and not known.open_calls


def _has_lasted(reading: Reading, known: Knowledge | None) -> bool:
    """Return whether it had ended at the last reading too: then nobody dials what is left."""
    return reading.phase is Phase.ENDED and known is not None and known.phase is Phase.ENDED


def _with_calls(reading: Reading, lists: Lists, *, waiting: str, seen: int) -> Reading:
    """Count every call by its status; those on their way to be dialled are in neither list.

    Of as many as were `seen` in the queue, all that are gone have been dialled.
    """
    counts = Counter(lists.dials.values())
    if lists.waiting:
        counts[waiting] += len(lists.waiting)
    if len(counts) > COUNTS_LIMIT:
        raise invalid()
    calls = weigh(counts, standing)  # before `dialled`, which is a word of ours
    if seen > counts.total():
        counts[DIALLED] = seen - counts.total()
    return replace(reading, counts=dict(counts), least_contacts=counts.total(), **calls)
