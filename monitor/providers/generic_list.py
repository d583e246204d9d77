"""Discovery by config: what a page of an API's list of batches says, by expressions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, field_validator

from monitor.core.discovery import DiscoveryAnswer, Entries
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.headers import check_parameter
from monitor.net.redact import Redact
from monitor.providers.discovery import DiscoverySettings, Sieve
from monitor.providers.document import decode_any, last_segment
from monitor.providers.entries import CURSOR_LIMIT
from monitor.providers.expression import Expression, JmesPath, parse_expression
from monitor.providers.finding import breaks, read_start, without_keys

_NO_LIST: Final = DiscoveryAnswer(entries=Entries(unlisted=1))
_STEP: Final = re.compile(r"\+([1-9][0-9]{0,5})")


class Next(NamedTuple):
    """Where the next page begins: a parameter of the query, and where its value comes from."""

    parameter: str
    value: Expression | int
    """Finds it in the page before; a number: what is added to the value before."""


def _parse_next(table: object) -> Next:
    if isinstance(table, Next):
        return table
    if not isinstance(table, Mapping) or len(table) != 1:
        raise ValueError(
            'must be a table of one parameter, such as { after = "last_id" } or { page = "+1" }'
        )
    ((parameter, value),) = table.items()
    check_parameter(parameter)
    step = _STEP.fullmatch(value) if isinstance(value, str) else None
    return Next(parameter, parse_expression(value) if step is None else int(step[1]))


class GenericDiscoverySettings(DiscoverySettings):
    """Parse the table `discover` of a generic source."""

    url: str
    """The URL of the list's first page, on the same host as the source's `url`; it is sent the same
    keys."""
    items: JmesPath
    """[Expression](#expressions): the array of batches in a page."""
    id: JmesPath
    """[Expression](#expressions) on each item: the batch's id; of a resource name such as
    `batches/ID`, or of an ARN, the last segment. An item without an id is left out."""
    created_at: JmesPath | None = None
    """[Expression](#expressions) on each item: when the batch was created, for `max_age`; in the
    formats of `scheduled_at`."""
    status: Annotated[JmesPath | None, Field(validate_default=True)] = None
    """[Expression](#expressions) on each item: the batch's status, for `statuses` and
    `monitor batches`."""
    name: JmesPath | None = None
    """[Expression](#expressions) on each item: the batch's name, for `monitor batches`."""
    next: Annotated[Next | None, PlainValidator(_parse_next)] = None
    """How to ask for the next page. `{ after = "last_id" }`: the name of the query parameter, and
    the [expression](#expressions) that finds its value in this page; the list ends when it finds
    null, false or nothing. `{ page = "+1" }` counts pages instead, starting from the number in
    `url` or 1; `{ offset = "+50" }` adds the size of a page, starting from the number in `url` or
    0. With these two the list ends when a page is empty, is repeated, or is answered by 404 or 410.
    If the list begins with the newest batches, no page beyond `max_age` is read."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if {*value} & {*"{}"}:
            raise ValueError("must hold no braces: a list is of no single batch")
        return value

    @field_validator("status")
    @classmethod
    def _check_status(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.data.get("statuses"):
            raise ValueError("is missing: statuses are compared with what it finds")
        return value


def _read_table(value: object) -> object:
    return None if value is False else value


DiscoverByConfig = Annotated[GenericDiscoverySettings | None, BeforeValidator(_read_table)]
"""A table, or `false`."""


class Page(NamedTuple):
    """What one page of a list says."""

    found: DiscoveryAnswer
    next: str | None
    """The value that the next page is asked by; none after the last, or where they are counted."""
    mark: bytes
    """The same for pages with the same batches; empty for one without any."""
    rest_is_old: bool = False
    """The newest come first, and the last of these is older than what is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Know how the pages of a list read; another process can be told, too."""

    settings: GenericDiscoverySettings
    values_limit: int

    def read(self, document: bytes, hide: Redact, *, now: datetime) -> Page:
        """Read a page; raise PollError, which names the expression, if it fits not."""
        page = decode_any(document, values_limit=self.values_limit)
        items = _find("items", self.settings.items, page)
        if not isinstance(items, list | None):
            raise _misfit("items", breaks("be an array", items))
        dated = self.settings.created_at is not None
        sieve, mark = Sieve(self.settings, now=now, dated=dated), sha256()
        times: list[datetime | None] = []
        for item in items or ():
            batch_id, created_at, status = self._read_item(item)
            mark.update(f"{batch_id or item}\n".encode(errors="replace"))
            if batch_id is not None and hide(batch_id) != batch_id:
                batch_id = None  # it holds the key
            name = self.settings.name and _find("name", self.settings.name, item)
            shown = {"status": without_keys(status, hide), "name": without_keys(name, hide)}
            sieve.take(batch_id, created_at=created_at, **shown)
            times.append(created_at)
        return Page(
            found=sieve.found() if items is not None else _NO_LIST,
            next=self._next(page),
            mark=mark.digest() if items else b"",
            rest_is_old=_descends_below(now - self.settings.max_age, times),
        )

    def _read_item(self, item: object) -> tuple[str | None, datetime | None, object]:
        settings = self.settings
        batch_id = _find("id", settings.id, item)
        if isinstance(batch_id, int) and not isinstance(batch_id, bool):
            batch_id = str(batch_id)
        created_at = settings.created_at and _find("created_at", settings.created_at, item)
        return (
            last_segment(batch_id) if isinstance(batch_id, str) else None,
            _time(created_at),
            settings.status and _find("status", settings.status, item),
        )

    def _next(self, page: object) -> str | None:
        following = self.settings.next
        if following is None or isinstance(following.value, int):
            return None
        return _value(_find("next", following.value, page))


def _descends_below(oldest: datetime, times: Sequence[datetime | None]) -> bool:
    """Return whether times go down, and end before the oldest that is wanted."""
    known = [time for time in times if time is not None]
    if len(known) < len(times) or len(known) < 2 or known[-1] >= oldest:
        return False
    return known[0] > known[-1] and all(one >= other for one, other in pairwise(known))


def _find(key: str, expression: Expression, document: object) -> object:
    try:
        return expression.evaluate(document)
    except ValueError as error:
        raise _misfit(key, error) from error


def _misfit(key: str, reason: object) -> PollError:
    expression = f"discover.{key}"
    return PollError(FailureKind.EXPRESSION, 200, expression=expression, reason=str(reason))


def _time(found: object) -> datetime | None:
    """Read when a batch was created; what is no time stands for none."""
    try:
        return None if found is None else read_start(found)
    except ValueError:
        return None


def _value(found: object) -> str | None:
    """Read the value that asks for the next page; none where there is no more."""
    if found is None or found is False or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise _misfit("next", breaks("be a text or a whole number", found))
    value = str(found)
    if len(value) > CURSOR_LIMIT or not value.isprintable():
        raise _misfit("next", f"must be printable, at most {CURSOR_LIMIT} characters")
    return value
