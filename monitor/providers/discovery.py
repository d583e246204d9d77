"""Discovery: which of an account's batches are watched without anybody naming them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, TypeGuard

from pydantic import BeforeValidator, PlainValidator

from monitor.core.batch import NAME_LIMIT, normalise
from monitor.core.batch_id import check_batch_id
from monitor.core.discovery import FOUND_LIMIT, DiscoveryAnswer, Entries, ListEntry
from monitor.core.errors import PollError
from monitor.providers.document import read_time
from monitor.setting_types import (
    LONGEST_DURATION,
    Duration,
    Settings,
    Span,
    duration_between,
    parse_duration,
)


class DiscoverySettings(Settings):
    """Parse the table `discover`."""

    max_age: Duration = parse_duration("7d")
    """Find only batches created within this time, and those whose time of creation is unknown. A
    batch that was found stays watched when it gets older."""
    statuses: tuple[str, ...] = ()
    """Find only batches with one of these statuses, in the provider's words; an empty list: with
    any status. A batch that was found stays watched whatever its status becomes."""
    every: Annotated[Span, duration_between("10s", LONGEST_DURATION)] = parse_duration("5m")
    """How often discovery looks for batches; its requests count against `rate_limit`."""


def _read_agents(value: object) -> tuple[str, ...]:
    if value == "all":
        return ALL
    if not isinstance(value, list | tuple) or not value:
        raise ValueError('must be "all" or an array of agent ids')
    return tuple(map(_read_agent, value))


def _read_agent(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must hold texts")  # noqa: TRY004 (pydantic)
    try:
        return check_batch_id(value)
    except ValueError as error:
        raise ValueError(str(error).replace("a batch id", "an agent id")) from None


ALL: Final = ("all",)


class BolnaDiscoverySettings(DiscoverySettings):
    """Parse the table `discover` of a Bolna account."""

    agents: Annotated[tuple[str, ...], PlainValidator(_read_agents)]
    """The agents whose batches are found: an array of ids, or `"all"` for all agents of the
    account."""


_NO_AGENTS: Final = (
    "must name agents: Bolna has no list of all batches, only one for each agent:"
    ' { agents = ["AGENT-ID"] }, or "all" to ask for the agents first'
)


def _read_switch(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, dict | DiscoverySettings):
        return value
    raise ValueError('must be true, false or a table such as { every = "5m" }')


def _read_bolna(value: object) -> object:
    match value:
        case "all":
            return {"agents": "all"}
        case False:
            return None
        case {"agents": _} | DiscoverySettings():
            return value
        case _:
            raise ValueError(_NO_AGENTS)


Discover = Annotated[DiscoverySettings | None, BeforeValidator(_read_switch)]
"""`true`, `false` or a table."""

DiscoverAgents = Annotated[BolnaDiscoverySettings | None, BeforeValidator(_read_bolna)]
"""`"all"`, `false` or a table."""


class Sieve:
    """Take the batches of a list one by one; keep those that are wanted, each once."""

    def __init__(self, settings: DiscoverySettings, *, now: datetime, dated: bool = True) -> None:
        self._oldest = now - settings.max_age
        self._statuses = frozenset(map(normalise, settings.statuses))
        self._dated = dated
        """The list should say when each was created."""
        self._kept: dict[str, ListEntry] = {}
        self._numbers: Counter[str] = Counter()

    def take(
        self,
        batch_id: object,
        *,
        created_at: datetime | None,
        status: object,
        name: object = None,
    ) -> None:
        """Judge one batch: what a list says of it may be missing or nonsense."""
        self._numbers["number"] += 1
        self._numbers["undated"] += self._dated and created_at is None
        self._numbers["no_status"] += bool(self._statuses) and status is None
        if not is_usable_id(batch_id):
            self._numbers["no_id"] += 1
        elif created_at is not None and created_at < self._oldest:
            self._numbers["too_old"] += 1
        elif self._statuses and normalise(str(status)) not in self._statuses:
            self._numbers["other_status"] += 1
        elif len(self._kept) <= FOUND_LIMIT:  # one more than is wanted says that there are more
            self._kept[batch_id] = ListEntry(batch_id, _text(name), _text(status), created_at)

    def take_entry(self, entry: Mapping[str, Any], *, id_: str, created_at: str, name: str) -> None:
        """Judge one entry by its fields of these names, and its `status`."""
        self.take(
            entry.get(id_),
            created_at=read_time(entry.get(created_at)),
            status=entry.get("status"),
            name=entry.get(name),
        )

    def found(self) -> DiscoveryAnswer:
        """Return what was kept."""
        return DiscoveryAnswer(batches=tuple(self._kept.values()), entries=Entries(**self._numbers))


def _text(value: object) -> str | None:
    """Return what a list says in words, cut to what a name may have; anything else is nothing."""
    return str(value)[:NAME_LIMIT] or None if isinstance(value, str | int) else None


@contextmanager
def on_page(number: int) -> Iterator[None]:
    """Let a failure say on which page of a list it was."""
    try:
        yield
    except PollError as error:
        error.page = number
        raise


def is_usable_id(value: object) -> TypeGuard[str]:
    """Return whether an id that a list holds can be asked for."""
    if not isinstance(value, str):
        return False
    try:
        check_batch_id(value)
    except ValueError:
        return False
    return True
