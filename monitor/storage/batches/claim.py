"""Batches that are due: claimed for a limited time, drawn from their source's budget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from monitor.core.batch import Watch
from monitor.core.budget import debt, fill, room_for_running, spend
from monitor.core.event import SubjectKind
from monitor.core.value import value
from monitor.storage.batches.row import READ_COLUMNS, watch_of
from monitor.storage.database import reading, writing
from monitor.storage.deliveries.lanes import lock_subjects
from monitor.storage.sources import SourceRow, lock_source
from monitor.storage.sql import CLAIM_KEY, Statement, claim_stands, from_milliseconds, milliseconds


@value
class Claim:
    """One claimed batch; whoever writes back under an older epoch is ignored."""

    watch: Watch
    epoch: int
    due_at: datetime
    lease_until: datetime
    """Then somebody else may claim it, and know better."""
    probe: bool = False
    """The one poll by which a blocked source is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a claim brought, and the source as it stood."""

    source: SourceRow
    claims: list[Claim]
    pressed: bool = False
    """It brought all that the room or the budget allowed: more is likely due."""


# one look into the index for each source
_DUE_SOURCES: Final = text(
    "SELECT name, (SELECT min(next_poll_at) FROM batches"
    " WHERE source = sources.name AND next_poll_at IS NOT NULL) FROM sources"
)


@reading
def due_sources(connection: Connection) -> dict[str, datetime]:
    """Return when the next batch of each source is due."""
    rows = connection.execute(_DUE_SOURCES)
    return {name: from_milliseconds(due_at) for name, due_at in rows if due_at is not None}


@writing
def claim_batches(
    connection: Connection,
    source_row: int,
    *,
    want: int,
    rate: float,
    now: datetime,
    lease: timedelta,
    owner: str,
    extra: int = 0,
    dice: float | None = None,
) -> Claims:
    """Claim at most `want` due batches of a source within its budget of `rate` polls a second.

    `extra` are requests that were made besides and go off the budget, which may thereby end up in
    debt. A source that was blocked and may be tried again yields one batch, the one that was polled
    longest ago; it stays blocked for the lease, so that nobody else tries it meanwhile.

    Those due longest come first; with `dice` (0 up to 1), for a source that is pressed, most of the
    room goes to batches that run.
    """
    # the source's row is locked first: daemons that share an account draw from one budget
    source = lock_source(connection, source_row)
    blocked = source.blocked_until is not None and now < source.blocked_until
    probe = source.blocked_until is not None
    tokens = fill(source.tokens, rate=rate, since=source.tokens_at, now=now) - extra
    limit = 0 if blocked else max(0, min(1 if probe else want, int(tokens)))
    values = {
        "source": source.name,
        "now": milliseconds(now),
        "lease_until": milliseconds(now + lease),
        "owner": owner,
    }
    claims: list[Claim] = []
    if dice is not None and not probe:
        room = room_for_running(limit, dice=dice)
        claims += _claim(connection, _CLAIM_RUNNING, values, room)
    choice = _CLAIM_PROBE if probe else _CLAIM_OLDEST
    claims += _claim(connection, choice, values, limit - len(claims))
    if claims or extra:
        source = _draw(
            connection,
            source,
            spend(tokens, len(claims), rate=rate),
            now=now,
            until=now + lease if probe and claims else None,
        )
    return Claims(source=source, claims=claims, pressed=not blocked and len(claims) == limit)


@writing
def draw_extra(
    connection: Connection, source_row: int, extra: int, *, rate: float, now: datetime
) -> timedelta:
    """Take requests that were made off a source's budget; return for how long it is in debt."""
    source = lock_source(connection, source_row)
    tokens = fill(source.tokens, rate=rate, since=source.tokens_at, now=now) - extra
    if extra:
        tokens = spend(tokens, 0, rate=rate)
        _draw(connection, source, tokens, now=now, until=None)
    return debt(tokens, rate=rate)


# the budget as it stands after a claim, and the pause of a source that is being tried
_DRAW: Final = text(
    "UPDATE sources SET tokens = :tokens, tokens_at = :now, blocked_until = :blocked_until,"
    " version = :version WHERE id = :row"
)


def _draw(
    connection: Connection,
    source: SourceRow,
    tokens: float,
    *,
    now: datetime,
    until: datetime | None,
) -> SourceRow:
    """Take tokens; a probe moves the version too, or an older result could end its pause."""
    if until is not None:
        source = replace(source, blocked_until=until, version=source.version + 1)
    connection.execute(
        _DRAW,
        {
            "row": source.row,
            "tokens": tokens,
            "now": milliseconds(now),
            "blocked_until": milliseconds(source.blocked_until),
            "version": source.version,
        },
    )
    return source


def _claiming(chosen: str, order: str) -> Statement:
    """Write a claim of chosen batches in an order.

    The lease goes into next_poll_at, so the index of due rows skips what is claimed, and whoever
    dies with a claim leaves it due at the lease's end. SKIP LOCKED: of two daemons that claim at
    once neither waits, and none gets what the other has.
    """
    return Statement(
        "UPDATE batches SET due_at = next_poll_at, next_poll_at = :lease_until,"
        " lease_owner = :owner, epoch = epoch + 1"
        " WHERE id IN (SELECT id FROM batches WHERE source = :source"
        f" AND next_poll_at IS NOT NULL AND {chosen} ORDER BY {order} LIMIT :limit{{lock}})"
        f" RETURNING {READ_COLUMNS}, epoch, due_at",
        lock=" FOR UPDATE SKIP LOCKED",
    )


# those due longest; of those the ones that run; of a blocked source the one polled longest ago
_CLAIM_OLDEST: Final = _claiming("next_poll_at <= :now", "next_poll_at")
_CLAIM_RUNNING: Final = _claiming("phase = 'running' AND next_poll_at <= :now", "next_poll_at")
_CLAIM_PROBE: Final = _claiming(
    "(lease_owner IS NULL OR next_poll_at <= :now)", "last_poll_at NULLS FIRST"
)


def _claim(
    connection: Connection, choice: Statement, values: dict[str, Any], limit: int
) -> list[Claim]:
    if limit < 1:
        return []
    lease_until = from_milliseconds(values["lease_until"])
    return [
        Claim(
            watch=watch_of(row),
            epoch=row[-2],
            due_at=from_milliseconds(row[-1]),
            lease_until=lease_until,
            probe=choice is _CLAIM_PROBE,
        )
        for row in choice.run(connection, **values, limit=limit)
    ]


_GIVE_BACK: Final = (
    "UPDATE batches SET next_poll_at = due_at, due_at = NULL, lease_owner = NULL, epoch = epoch + 1"
)
# what one daemon had claimed
_RELEASE: Final = text(f"{_GIVE_BACK} WHERE lease_owner = :owner")
# what anybody had, so that the index of what is leased serves it, also on a Postgres without
# statistics, which takes it that nearly all is NOT NULL: to read a million batches takes seconds
_RELEASE_ALL: Final = text(f"{_GIVE_BACK} WHERE lease_owner >= ''")


@writing
def release_batches(connection: Connection, *, owner: str | None) -> int:
    """Give back what `owner`, or anybody, had claimed: due again when it was; return how many."""
    release = _RELEASE_ALL if owner is None else _RELEASE
    return connection.execute(release, {"owner": owner}).rowcount


# claims that were not used: the batches are due when they were
_UNCLAIM: Final = Statement(
    "UPDATE batches SET next_poll_at = due_at, due_at = NULL, lease_owner = NULL"
    f" FROM {{rows}} WHERE {claim_stands('batches')}",
    rows=CLAIM_KEY,
)


@writing
def unclaim_batches(connection: Connection, claims: Sequence[Claim]) -> None:
    """Give back batches that were claimed for nothing, unless somebody claimed them since."""
    rows = [{"id": claim.watch.batch.row, "epoch": claim.epoch} for claim in claims]
    lock_subjects(connection, [(SubjectKind.BATCH, row["id"]) for row in rows])
    _UNCLAIM.run(connection, rows=rows)


# in the order of the index: without it Postgres reads the table until it meets enough of them
_WATCHED: Final = text(
    "SELECT count(*) FROM (SELECT 1 FROM batches WHERE source = :source"
    " AND next_poll_at IS NOT NULL ORDER BY next_poll_at LIMIT :limit) AS polled"
)


@reading
def count_watched(connection: Connection, source: str, *, limit: int) -> int:
    """Count a source's batches that are polled at all, up to `limit`."""
    result = connection.execute(_WATCHED, {"source": source, "limit": limit})
    return int(result.scalar_one())


# what is under way is left alone: its result plans the next poll
_HASTEN: Final = text(
    "UPDATE batches SET next_poll_at = :by WHERE source = :source AND next_poll_at > :by"
    " AND lease_owner IS NULL"
)


@writing
def hasten_batches(connection: Connection, source: str, *, by: datetime) -> None:
    """Let a source's batches that were to be polled later be polled at `by`, once."""
    connection.execute(_HASTEN, {"source": source, "by": milliseconds(by)})
