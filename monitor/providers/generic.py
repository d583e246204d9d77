"""Any JSON API that the config file describes: one request for a batch, and what it means."""

from collections.abc import Iterator
from functools import partial

from monitor.core.batch import Knowledge, Phase, Reading
from monitor.providers.api import Api, quote_id
from monitor.providers.calls import CallStanding
from monitor.providers.finding import READERS, Finding
from monitor.providers.generic_finder import GenericFinder
from monitor.providers.generic_settings import ID, PHASES, GenericSettings
from monitor.providers.meaning import Meaning
from monitor.providers.words import Dictionary


class Generic:
    """Read the batches of one account at an API that the config file describes."""

    def __init__(self, api: Api, settings: GenericSettings) -> None:
        self._api = api
        self._url = settings.url
        self.meaning = meaning_of(settings)
        self.extra_requests = 0
        self.finder: GenericFinder | None = None
        if settings.discover is not None:
            limit = settings.values_limit
            self.finder = GenericFinder(api, settings.discover, values_limit=limit)

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        """Return one reading of one batch, or raise PollError, within two deadlines."""
        url = self._url.replace(ID, quote_id(batch_id))
        return await self._api.read(url, partial(self.meaning.read, batch_id=batch_id))

    def findings(self, document: bytes) -> Iterator[Finding]:
        """Yield what each expression makes of a document; raise PollError if it is none."""
        return self.meaning.findings(document, self._api.hide)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


def meaning_of(settings: GenericSettings) -> Meaning:
    """Return what the answers mean by a source's table."""
    given = {key: getattr(settings, key) for key in READERS}
    return Meaning(
        expressions={
            key: expression for key, expression in given.items() if expression is not None
        },
        phases=Dictionary(
            {phase: getattr(settings, key) for key, phase in PHASES.items()},
            other=(Phase.UNKNOWN, None),
        ),
        calls=Dictionary(
            {
                CallStanding.FINAL: settings.final_calls,
                CallStanding.PARKED: settings.parked_calls,
            },
            other=CallStanding.QUEUED,
        ),
        rest_calls=settings.rest_calls,
        values_limit=settings.values_limit,
    )
