"""Bolna: its settings, and how a batch's document reads in our words."""

from collections.abc import Collection
from functools import lru_cache
from itertools import chain
from typing import ClassVar, Final, Literal, Self

from monitor.core.batch import COUNTS_LIMIT, Counts, Knowledge, Outcome, Phase, Reading
from monitor.providers.account import AccountSettings
from monitor.providers.api import Api, quote_id
from monitor.providers.bolna_list import BolnaFinder
from monitor.providers.calls import CallStanding, weigh
from monitor.providers.discovery import ALL, BolnaDiscoverySettings, DiscoverAgents
from monitor.providers.document import (
    check_id,
    decode,
    invalid,
    read_count,
    read_name,
    read_status,
    read_time,
)
from monitor.providers.words import Dictionary
from monitor.setting_types import Rate

# Two generations of words are in use at once. `executed` is the older one's last word: dispatch
# is done, calls may be open; whether they are is known by the counts.
_PHASES: Final[dict[tuple[Phase, Outcome | None], tuple[str, ...]]] = {
    (Phase.PENDING, None): ("created", "processed", "scheduled", "queued"),
    (Phase.RUNNING, None): ("running",),
    (Phase.ENDED, Outcome.COMPLETED): ("executed", "completed"),
    (Phase.ENDED, Outcome.CANCELLED): ("stopped", "canceled", "cancelled"),
    (Phase.ENDED, Outcome.FAILED): ("failed",),
}
_phase: Final = Dictionary(_PHASES, other=(Phase.UNKNOWN, None))


class BolnaSettings(AccountSettings):
    """Parse the table of a Bolna account."""

    known_statuses: ClassVar[tuple[str, ...]] = tuple(chain.from_iterable(_PHASES.values()))

    provider: Literal["bolna"]
    """Which provider's API this is."""
    discover: DiscoverAgents = None
    """Find the account's batches and watch them: those of the agents in the table, or of all agents
    (`"all"`)."""
    base_url: str = "https://api.bolna.ai"
    rate_limit: Rate = 1000 / 60
    """Most requests to the account, including those of `discover`. Bolna answers 429 beyond 1,000 a
    minute per organisation."""

    def listing(self) -> Self:
        """Return what lists the account's batches: as `discover` says, else those of all agents."""
        if self.discover is not None:
            return self
        return self.model_copy(update={"discover": BolnaDiscoverySettings(agents=ALL)})


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


def _read_counts(found: object) -> Counts | None:
    """Read the calls per status; two spellings of one status stay two entries.

    A map beyond the bound is refused: cut to size it would hide open calls.
    """
    if found is None:
        return None
    if not isinstance(found, dict) or len(found) > COUNTS_LIMIT:
        raise invalid()
    numbers = ((status, read_count(value)) for status, value in found.items())
    return {_call_status(status): number for status, number in numbers if number is not None}


_FINAL: Final = frozenset(
    {"completed", "noanswer", "busy", "failed", "canceled", "stopped", "error", "balancelow"}
)
# `scheduled` is for a retry, `rescheduled` until the hours that guardrails allow. `completed`
# follows minutes after `call-disconnected`. `running` is in an official sample.
_CALLS: Final[dict[CallStanding, Collection[str]]] = {
    CallStanding.FINAL: _FINAL,
    CallStanding.QUEUED: ("prepared", "queued"),
    CallStanding.PARKED: ("scheduled", "rescheduled"),
    CallStanding.LIVE: frozenset(
        {"initiated", "initiate", "ringing", "inprogress", "calldisconnected", "running"}
    ),
}
_standing: Final = Dictionary(_CALLS, other=CallStanding.UNKNOWN)
_call_status: Final = lru_cache(maxsize=1024)(read_status)
