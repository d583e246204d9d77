"""Any JSON API: how its answers read in our words, by the expressions of the config file."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from monitor.core.batch import COUNTS_LIMIT, Counts, Known, Phase, Reading, fold
from monitor.core.errors import FailureKind, PollError
from monitor.providers.api import Api, quote_id
from monitor.providers.calls import Standing, weigh
from monitor.providers.document import (
    LARGEST_COUNT,
    check_id,
    decode,
    invalid,
    read_count,
    read_name,
    read_status,
    read_time,
)
from monitor.providers.generic_settings import EXPRESSIONS, ID, PHASES, GenericSettings

_Value = TypeVar("_Value")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FEWEST_MILLISECONDS: Final = 10**11
"""Smaller numbers are seconds, until the year 5138; as milliseconds this is 1973."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Hold what one expression made of an answer."""

    key: str
    expression: str
    value: object = None
    problem: str | None = None
    """Why there is no value."""


class Generic:
    """Read the batches of one account at an API that the config file describes."""

    def __init__(self, api: Api, settings: GenericSettings) -> None:
        self._api = api
        self._url = settings.url
        self._meaning = Meaning(settings)
        self.extra_requests = 0
        self.finder = None
        self.finder = None

    async def read(self, batch_id: str, known: Known | None = None) -> Reading:
        """Return one reading of one batch, or raise PollError."""
        document = await self._api.fetch(self._url.replace(ID, quote_id(batch_id)))
        return self._meaning.read(document, batch_id)

    def explain(self, document: bytes) -> Iterator[Finding]:
        """Yield what each expression makes of a document; raise PollError if it is no object."""
        return self._meaning.findings(document)

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()


class Meaning:
    """Know what an account's answers mean."""

    def __init__(self, settings: GenericSettings) -> None:
        self._expressions = {
            key: expression
            for key in EXPRESSIONS
            if (expression := getattr(settings, key)) is not None
        }
        self._phases = {
            fold(word): phase for key, phase in PHASES.items() for word in getattr(settings, key)
        }
        self._final = frozenset(map(fold, settings.final_calls))
        self._parked = frozenset(map(fold, settings.parked_calls))
        self._rest_calls = settings.rest_calls

    def read(self, document: bytes, batch_id: str) -> Reading:
        """Put a document in our words; raise PollError, which names the expression, if it fits not.

        No status word, another batch's id and what is no number of calls fail; a name or a start
        may be missing.
        """
        fields = decode(document)
        self._check_id(fields, batch_id)
        status = self._required("status", fields, read_status)
        phase, outcome = self._phases.get(fold(status), (Phase.UNKNOWN, None))
        shown = self._find("counts", fields, _read_counts)
        total = self._find("total", fields, read_count)
        valid = self._find("valid", fields, read_count)
        rest = self._rest(shown, total if valid is None else valid)
        counts = shown
        if rest and phase is not Phase.ENDED:
            counts = self._with_rest(shown or {}, rest)
        # Calls on their way when it ends: the core waits for a second reading, as for those of
        # providers whose totals are derived.
        lacking = bool(rest) and phase is Phase.ENDED
        calls = weigh(counts or {}, self._standing)
        return Reading(
            status=status,
            phase=phase,
            outcome=outcome,
            counts=counts,
            open_calls=calls.open,
            parked_calls=calls.parked,
            live_calls=calls.live,
            counted="counts" in self._expressions,
            total_contacts=None if lacking else total,
            least_contacts=total if lacking else None,
            valid_contacts=valid,
            name=self._find("name", fields, _read_name),
            scheduled_at=self._find("scheduled_at", fields, _read_start),
        )

    def findings(self, document: bytes) -> Iterator[Finding]:
        """Yield what each expression makes of a document; raise PollError if it is no object."""
        fields = decode(document)
        for key, expression in self._expressions.items():
            try:
                value = expression.evaluate(fields)
            except ValueError as error:
                yield Finding(key=key, expression=expression.text, problem=str(error))
            else:
                yield Finding(key=key, expression=expression.text, value=value)

    def _check_id(self, fields: Mapping[str, Any], batch_id: str) -> None:
        if "id" in self._expressions:
            check_id(self._required("id", fields, _read_id), batch_id)

    def _find(
        self, key: str, fields: Mapping[str, Any], read: Callable[[object], _Value | None]
    ) -> _Value | None:
        """Return what an expression finds; none for null, or where no expression is given."""
        expression = self._expressions.get(key)
        if expression is None:
            return None
        try:
            found = expression.evaluate(fields)
            return None if found is None else read(found)
        except (ValueError, PollError) as error:
            raise PollError(FailureKind.EXPRESSION, 200, expression=key) from error

    def _required(
        self, key: str, fields: Mapping[str, Any], read: Callable[[object], _Value]
    ) -> _Value:
        found = self._find(key, fields, read)
        if found is None:
            raise PollError(FailureKind.EXPRESSION, 200, expression=key)
        return found

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

    def _standing(self, status: str) -> Standing:
        """Take an open call for one that waits: nobody says which are spoken just now."""
        folded = fold(status)
        if folded in self._final:
            return Standing.FINAL
        return Standing.PARKED if folded in self._parked else Standing.QUEUED


def _read_counts(found: object) -> Counts:
    """Read numbers by call status, or count the calls of each; refuse more than can be kept."""
    match found:
        case dict() if len(found) <= COUNTS_LIMIT:
            numbers = ((read_status(status), read_count(value)) for status, value in found.items())
            counts = {status: number for status, number in numbers if number is not None}
        case list():
            counts = Counter(filter(_is_text, found))
            if len(counts) > COUNTS_LIMIT or counts.total() < len(found):
                raise invalid()
            counts = {read_status(status): number for status, number in counts.items()}
        case _:
            raise invalid()
    if sum(counts.values()) > LARGEST_COUNT:
        raise invalid()
    return counts


def _is_text(found: object) -> bool:
    return isinstance(found, str)


def _read_id(found: object) -> str:
    """Read an id, which may be a number."""
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise invalid()
    return str(found)


def _read_name(found: object) -> str | None:
    if not isinstance(found, str):
        raise invalid()
    return read_name(found)


def _read_start(found: object) -> datetime | None:
    """Read a time; a text that is none stands for no time, as with every provider."""
    if isinstance(found, str):
        return read_time(found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise invalid()
    try:
        seconds = found if abs(found) < _FEWEST_MILLISECONDS else found / 1000
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        raise invalid() from error
