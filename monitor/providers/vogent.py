"""Vogent: its settings, and how a batch dial job's document reads in our words."""

from functools import lru_cache
from typing import Final, Literal

from monitor.core.batch import Outcome, Phase, Reading, fold
from monitor.providers.account import AccountSettings
from monitor.providers.api import Api
from monitor.providers.document import check_id, decode, invalid, read_name, read_status
from monitor.settings import Rate


class VogentSettings(AccountSettings):
    """Parse the table of a Vogent account."""

    provider: Literal["vogent"]
    """Which provider's API this is."""
    base_url: str = "https://api.vogent.ai/api"
    rate_limit: Rate = 300 / 60
    """Polls that the account may spend at most; Vogent publishes no limit, this one is careful."""


class Vogent:
    """Read the batch dial jobs of one Vogent account."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def read(self, batch_id: str) -> Reading:
        """Return one reading of one batch, or raise PollError."""
        return parse(await self._api.get("batch_dial_jobs", batch_id), batch_id)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


def parse(document: bytes, batch_id: str) -> Reading:
    """Put a job's document in our words; raise PollError if it cannot be that job's.

    The id and the status must be there. It holds no counts, totals or start; its `schedule`
    is not read. The docs: https://docs.vogent.ai
    """
    fields = decode(document)
    if fields.get("id") is None:  # required, says the documentation
        raise invalid()
    check_id(fields["id"], batch_id)
    status = read_status(fields.get("status"))
    phase, outcome = _phase(status)
    return Reading(status=status, phase=phase, outcome=outcome, name=read_name(fields.get("name")))


_PHASES: Final[dict[str, tuple[Phase, Outcome | None]]] = {
    "init": (Phase.PENDING, None),
    "active": (Phase.RUNNING, None),
    "paused": (Phase.PAUSED, None),
    "complete": (Phase.ENDED, Outcome.COMPLETED),
    "cancelled": (Phase.ENDED, Outcome.CANCELLED),
}


@lru_cache(maxsize=256)
def _phase(status: str) -> tuple[Phase, Outcome | None]:
    return _PHASES.get(fold(status), (Phase.UNKNOWN, None))
