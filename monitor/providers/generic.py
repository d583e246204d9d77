"""Any JSON API: how its answers read in our words, by the expressions of the config file."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from monitor.core.batch import COUNTS_LIMIT, Counts, Knowledge, Phase, Reading
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers.api import Api, quote_id
from monitor.providers.calls import CallStanding, weigh
from monitor.providers.document import check_id, decode
from monitor.providers.finding import READERS, Finding, make_finding, read_found
from monitor.providers.generic_settings import ID, PHASES, GenericSettings
from monitor.providers.words import dictionary


class Generic:
    """Read the batches of one account at an API that the config file describes."""

    def __init__(self, api: Api, settings: GenericSettings) -> None:
        self._api = api
        self._url = settings.url
        self.meaning = Meaning(settings)
        self.extra_requests = 0
        self.finder = None

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        """Return one reading of one batch, or raise PollError."""
        document = await self._api.fetch(self._url.replace(ID, quote_id(batch_id)))
        return self.meaning.read(document, batch_id)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


class Meaning:
    """Know what an account's answers mean."""

    def __init__(self, settings: GenericSettings) -> None:
        self._expressions = {
            key: expression for key in READERS if (expression := getattr(settings, key)) is not None
        }
        phases = {phase: getattr(settings, key) for key, phase in PHASES.items()}
        self._phase = dictionary(phases, other=(Phase.UNKNOWN, None))
        calls = {
            CallStanding.FINAL: settings.final_calls,
            CallStanding.PARKED: settings.parked_calls,
        }
        # An open call is taken for one that waits: nobody says which are spoken just now.
        self._standing = dictionary(calls, other=CallStanding.QUEUED)
        self._rest_calls = settings.rest_calls

    def read(self, document: bytes, batch_id: str) -> Reading:
        """Put a document in our words; raise PollError, which names the expression, if it fits not.

        No status word, another batch's id and what is no number of calls fail; a name or a start
        may be missing.
        """
        find = partial(self._find, decode(document))
        if "id" in self._expressions:
            check_id(find("id"), batch_id)
        status: str = find("status")
        phase, outcome = self._phase(status)
        shown: Counts | None = find("counts")
        total: int | None = find("total")
        valid: int | None = find("valid")
        rest = self._rest(shown, total if valid is None else valid)
        counts = shown
        if rest and phase is not Phase.ENDED:
            counts = self._with_rest(shown or {}, rest)
        # Calls on their way when it ends: the core waits for a second reading, as for those of
        # providers whose totals are derived.
        lacking = bool(rest) and phase is Phase.ENDED
        return Reading(
            status=status,
            phase=phase,
            outcome=outcome,
            counts=counts,
            **weigh(counts or {}, self._standing),
            tells_live=False,
            counted="counts" in self._expressions,
            total_contacts=None if lacking else total,
            least_contacts=total if lacking else None,
            valid_contacts=valid,
            name=find("name"),
            scheduled_at=find("scheduled_at"),
        )

    def findings(self, document: bytes) -> Iterator[Finding]:
        """Yield what each expression makes of a document; raise PollError if it is no object."""
        fields = decode(document)
        for key, expression in self._expressions.items():
            yield make_finding(key, expression, fields)

    def _find(self, fields: Mapping[str, Any], key: str) -> Any:
        """Return what an expression finds; none for null, or where no expression is given."""
        expression = self._expressions.get(key)
        if expression is None:
            return None
        try:
            return read_found(key, expression.evaluate(fields))
        except ValueError as error:
            raise PollError(FailureKind.EXPRESSION, 200, expression=key) from error

    def _rest(self, counts: Counts | None, total: int | None) -> int:
        """Return how many calls the counts leave out."""
        if self._rest_calls is None or counts is None or total is None:
            return 0
        return max(0, total - sum(counts.values()))

    def _with_rest(self, counts: Counts, rest: int) -> Counts:
        word = str(self._rest_calls)
        joined = {**counts, word: counts.get(word, 0) + rest}
        if len(joined) > COUNTS_LIMIT:
            raise PollError(FailureKind.EXPRESSION, 200, expression="counts")
        return joined
