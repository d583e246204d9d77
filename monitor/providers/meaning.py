"""What the answers of a generic source mean: how they read in our words, by its expressions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from monitor.core.batch import COUNTS_LIMIT, Counts, Outcome, Phase, Reading
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.net.redact import Redact
from monitor.providers.calls import CallStanding, weigh
from monitor.providers.document import check_id, decode_any
from monitor.providers.expression import Expression
from monitor.providers.finding import Finding, find, make_finding, read_found, without_keys
from monitor.providers.words import Dictionary


@dataclass(slots=True, kw_only=True, eq=False)
class Meaning:
    """Know what an account's answers mean; another process can be told, too."""

    expressions: Mapping[str, Expression]
    """By their keys in the config."""
    phases: Dictionary[tuple[Phase, Outcome | None]]
    """What the status words of batches mean."""
    calls: Dictionary[CallStanding]
    """What those of calls mean; any other one is of an open call, taken for one that waits: nobody
    says which are spoken just now."""
    rest_calls: str | None
    """The status of calls that the counts leave out."""
    values_limit: int
    """How many values an answer may hold."""

    def read(self, document: bytes, hide: Redact = str, *, batch_id: str) -> Reading:
        """Put a document in our words; raise PollError, which names the expression, if it fits not.

        Its texts show no key. No status word, another batch's id and what is no number of calls
        fail; a name or a start may be missing.
        """
        fields = self._decode(document)
        find_in = partial(self._find, fields, hide=hide)
        if "id" in self.expressions:
            check_id(self._find(fields, "id", hide=str), batch_id, hide)
        status: str = find_in("status")
        phase, outcome = self.phases(status)
        shown: Counts | None = find_in("counts")
        total: int | None = find_in("total")
        valid: int | None = find_in("valid")
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
            **weigh(counts or {}, self.calls),
            tells_live=False,
            counted="counts" in self.expressions,
            total_contacts=total,
            least_contacts=total if lacking else None,
            valid_contacts=valid,
            name=find_in("name"),
            scheduled_at=find_in("scheduled_at"),
        )

    def findings(self, document: bytes, hide: Redact = str) -> Iterator[Finding]:
        """Yield what each expression makes of a document; raise PollError if it is none."""
        fields = self._decode(document)
        for key, expression in self.expressions.items():
            yield make_finding(key, expression, fields, hide)

    def _decode(self, document: bytes) -> object:
        return decode_any(document, values_limit=self.values_limit)

    def _find(self, fields: object, key: str, *, hide: Redact) -> Any:
        """Return what an expression finds; none for null, or where no expression is given."""
        expression = self.expressions.get(key)
        if expression is None:
            return None
        try:
            return read_found(key, without_keys(find(key, expression, fields), hide))
        except ValueError as error:
            raise PollError(FailureKind.EXPRESSION, 200, expression=key) from error

    def _rest(self, counts: Counts | None, total: int | None) -> int:
        """Return how many calls the counts leave out."""
        if self.rest_calls is None or counts is None or total is None:
            return 0
        return max(0, total - sum(counts.values()))

    def _with_rest(self, counts: Counts, rest: int) -> Counts:
        word = str(self.rest_calls)
        joined = {**counts, word: counts.get(word, 0) + rest}
        if len(joined) > COUNTS_LIMIT:
            raise PollError(FailureKind.EXPRESSION, 200, expression="counts")
        return joined
