"""Bolna: its settings, and how a batch's document reads in our words."""

from functools import lru_cache
from typing import Final, Literal

from monitor.core.batch import COUNTS_LIMIT, Counts, Knowledge, Outcome, Phase, Reading, normalise
from monitor.providers.account import AccountSettings
from monitor.providers.api import Api, quote_id
from monitor.providers.bolna_list import BolnaFinder
from monitor.providers.calls import CallStanding, weigh
from monitor.providers.discovery import BolnaDiscoverySettings, DiscoverAgents
from monitor.providers.document import (
    check_id,
    decode,
    invalid,
    read_count,
    read_name,
    read_status,
    read_time,
)
from monitor.setting_types import Rate


class BolnaSettings(AccountSettings):
    """Parse the table of a Bolna account."""

    provider: Literal["bolna"]
    """Which provider's API this is."""
    discover: DiscoverAgents = None
    """Watch batches without naming them: those of the agents in its table, or of all (`"all"`)."""
    base_url: str = "https://api.bolna.ai"
    rate_limit: Rate = 1000 / 60
    """Requests that the account may spend at most, those of `discover` too; Bolna answers 429
    beyond 1,000 a minute per organisation."""

    @property
    def known_statuses(self) -> tuple[str, ...]:
        """List the status words of batches that we know."""
        return tuple(_PHASES)


class Bolna:
    """Read the batches of one Bolna account."""

    def __init__(self, api: Api, discover: BolnaDiscoverySettings | None = None) -> None:
        self._api = api
        self.extra_requests = 0
        self.finder = None if discover is None else BolnaFinder(api, discover)

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        """Return one reading of one batch, or raise PollError."""
        return parse(await self._api.fetch(f"/batches/{quote_id(batch_id)}"), batch_id)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


def parse(document: bytes, batch_id: str) -> Reading:
    """Put a batch's document in our words; raise PollError if it cannot be that batch's.

    Only the status must be there; any other field may be missing or null, but an answer without
    an id that has an error's fields is no batch. The docs:
    https://docs.bolna.ai/api-reference/batches/get_batch
    """
    fields = decode(document)
    check_id(fields.get("batch_id"), batch_id)
    if fields.get("batch_id") is None and not _ERROR_FIELDS.isdisjoint(fields):
        raise invalid()
    status = read_status(fields.get("status"))
    phase, outcome = _phase(status)
    counts = _read_counts(fields.get("execution_status"))
    return Reading(
        status=status,
        phase=phase,
        outcome=outcome,
        counts=counts,
        **weigh(counts or {}, _standing),
        total_contacts=read_count(fields.get("total_contacts")),
        valid_contacts=read_count(fields.get("valid_contacts")),
        name=read_name(fields.get("file_name")),
        scheduled_at=read_time(fields.get("scheduled_at")),
    )


_ERROR_FIELDS: Final = frozenset({"error", "message", "detail"})

# Two generations of words are in use at once. `executed` is the older one's last word: dispatch
# is done, calls may be open; whether they are is known by the counts.
_PHASES: Final[dict[str, tuple[Phase, Outcome | None]]] = {
    "created": (Phase.PENDING, None),
    "processed": (Phase.PENDING, None),
    "scheduled": (Phase.PENDING, None),
    "queued": (Phase.PENDING, None),
    "running": (Phase.RUNNING, None),
    "executed": (Phase.ENDED, Outcome.COMPLETED),
    "completed": (Phase.ENDED, Outcome.COMPLETED),
    "stopped": (Phase.ENDED, Outcome.CANCELLED),
    "canceled": (Phase.ENDED, Outcome.CANCELLED),
    "cancelled": (Phase.ENDED, Outcome.CANCELLED),
    "failed": (Phase.ENDED, Outcome.FAILED),
}


@lru_cache(maxsize=256)
def _phase(status: str) -> tuple[Phase, Outcome | None]:
    return _PHASES.get(normalise(status), (Phase.UNKNOWN, None))


def _read_counts(found: object) -> Counts | None:
    """Read the calls per status; two spellings of one status stay two entries.

    A map beyond the bound is refused: cut to size it would hide open calls.
    """
    if found is None:
        return None
    if not isinstance(found, dict) or len(found) > COUNTS_LIMIT:
        raise invalid()
    counts = {}
    for status, value in found.items():
        number = read_count(value)
        if number is not None:
            counts[status] = number
    return counts


_FINAL: Final = frozenset(
    {"completed", "noanswer", "busy", "failed", "canceled", "stopped", "error", "balancelow"}
)
_OPEN: Final = {
    "prepared": CallStanding.QUEUED,
    "queued": CallStanding.QUEUED,
    "scheduled": CallStanding.PARKED,  # for a retry
    "rescheduled": CallStanding.PARKED,  # until the hours that guardrails allow
    "initiated": CallStanding.LIVE,
    "initiate": CallStanding.LIVE,
    "ringing": CallStanding.LIVE,
    "inprogress": CallStanding.LIVE,
    "calldisconnected": CallStanding.LIVE,  # `completed` follows minutes later
    "running": CallStanding.LIVE,  # in an official sample
}


@lru_cache(maxsize=1024)
def _standing(status: str) -> CallStanding:
    word = normalise(read_status(status))
    if word in _FINAL:
        return CallStanding.FINAL
    return _OPEN.get(word, CallStanding.UNKNOWN)
