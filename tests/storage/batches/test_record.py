from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.core.batch import Failures, Knowledge, Outcome, Phase
from monitor.core.errors import DataRefusedError, SourceMovedError, StorageError
from monitor.core.event import EventType, SubjectKind, compose
from monitor.core.failure import FailureKind
from monitor.core.payload import source_data, source_subject
from monitor.core.schedule import Schedule, Slot
from monitor.core.source import Health, Source, StreakKind
from monitor.storage.batches.record import BatchRecord
from monitor.storage.deliveries.outbox import RoutedEvent
from monitor.storage.sources import SourceRecord, SourceRow, read_source
from tests.storage.store import MINUTE, NOW, SECOND, Store, reservation, running

WHOLE = Knowledge(
    status="executed",
    phase=Phase.ENDED,
    outcome=Outcome.COMPLETED,
    counts={"completed": 5, "no-answer": 0, "ärger": 2**53},
    open_calls=3,
    total_contacts=11,
    valid_contacts=2**63 - 1,
    name='a "quoted" \\ näme \U0001f4de',
    scheduled_at=NOW + timedelta(microseconds=5000),
    changed_at=NOW - MINUTE,
    phase_since=NOW - 2 * MINUTE,
    started_at=NOW - 3 * MINUTE,
    born_final=True,
    unconfirmed_since=NOW - SECOND,
    settled_at=NOW,
    unknown_statuses=("odd", "än\\der"),
    parked_calls=1,
    live_calls=2**63 - 1,
    counted=False,
    schedule=Schedule(
        zone="America/New_York", slots=(Slot(day=0, start=0, end=1440), Slot(day=6, start=1, end=9))
    ),
    stalled_at=NOW + SECOND,
    begun_until=NOW - 5 * SECOND,
    overdue_at=NOW + MINUTE,
    course=((1769675460000, 0), (1769675490000, 2**53)),
)
BARE = Knowledge(
    status="",
    phase=Phase.UNKNOWN,
    outcome=None,
    counts=None,
    open_calls=0,
    total_contacts=None,
    valid_contacts=None,
    name=None,
    scheduled_at=None,
    changed_at=NOW,
    phase_since=NOW,
    started_at=None,
)


async def poll(store: Store, **about: Any) -> BatchRecord:
    claim = await store.claim_one(**about)
    return store.record_of(claim, running(), **about)


def source_event(row: SourceRow, *, sequence: int = 1) -> RoutedEvent:
    source = Source(row=row.row, name=row.name, provider="bolna", key=row.key)
    event = compose(
        EventType.SOURCE_FAILING,
        source_subject(source),
        sequence=sequence,
        at=NOW,
        data=source_data(source),
    )
    return RoutedEvent(event=event, receivers=("crm",))


@pytest.mark.parametrize("known", [WHOLE, BARE, replace(BARE, counts={})], ids=lambda k: k.status)
async def test_all_that_is_known_comes_back_as_it_went(store: Store, known: Knowledge) -> None:
    await store.add("b1", name="given", labels={"team": "a"})
    claim = await store.claim_one()
    failures = Failures(
        polls=4,
        since=NOW,
        refusals=3,
        forbidden_streak=2,
        forbidden_refusals=1,
        kind=FailureKind.TIMEOUT,
        status_code=408,
        unreachable_since=NOW + SECOND,
    )
    after = replace(
        claim.watch,
        known=known,
        failures=failures,
        sequence=7,
        snapshots=3,
        observed_at=NOW,
        last_poll_at=NOW + SECOND,
    )

    written = BatchRecord(watch=after, epoch=claim.epoch, next_poll_at=NOW, learned=True)
    await store.write(written)

    assert (await store.claim_one()).watch == after


async def test_an_unchanged_reading_moves_the_poll_and_leaves_the_rest(store: Store) -> None:
    await store.add("b1")
    await store.write(await poll(store))
    claim = await store.claim_one(at=NOW + MINUTE)
    before = claim.watch

    quiet = store.record_of(claim, running(), at=NOW + MINUTE)
    await store.write(quiet)

    after = (await store.claim_one(at=NOW + 2 * MINUTE)).watch
    assert (quiet.learned, quiet.snapshot, quiet.owed) == (False, None, ())
    assert after == replace(before, observed_at=NOW + MINUTE, last_poll_at=NOW + MINUTE)
    assert await store.value("SELECT count(*) FROM snapshots") == 1


async def test_touched_and_learned_batches_are_written_in_one_commit(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2", receivers=())
    one, two = (await store.claim(at=NOW + MINUTE)).claims
    at = NOW + MINUTE

    written = await store.write(
        store.record_of(one, running(), at=at), store.record_of(two, running(calls=9), at=at)
    )

    assert len(written.claims) == 2
    found = await store.rows("SELECT last_poll_at, lease_owner, due_at FROM batches")
    assert {tuple(row) for row in found} == {(int(at.timestamp() * 1000), None, None)}


async def test_snapshots_are_numbered_and_hold_what_the_reading_showed(store: Store) -> None:
    await store.add("b1")
    for number in range(3):
        at = NOW + number * MINUTE
        claim = await store.claim_one(at=at)
        reading = running(calls=number + 1, total_contacts=11, valid_contacts=7)
        await store.write(store.record_of(claim, reading, at=at), at=at)

    rows = await store.rows(
        "SELECT number, at, status, phase, counts, open_calls, total_contacts, valid_contacts"
        " FROM snapshots ORDER BY number"
    )

    start = int(NOW.timestamp() * 1000)
    assert [tuple(row) for row in rows] == [
        (n + 1, start + n * 60_000, "running", "running", f'{{"ringing": {n + 1}}}', n + 1, 11, 7)
        for n in range(3)
    ]


async def test_events_are_stored_with_their_bytes_and_a_sequence_without_gaps(
    store: Store,
) -> None:
    await store.add("b1")
    records = []
    for number in range(3):
        at = NOW + number * MINUTE
        claim = await store.claim_one(at=at)
        records.append(store.record_of(claim, running(calls=number + 1), at=at))
        await store.write(records[-1], at=at)

    rows = await store.rows(
        "SELECT id, subject_kind, subject_row, sequence, type, at, body, routing"
        " FROM events ORDER BY sequence"
    )

    events = [owed.event for record in records for owed in record.owed]
    assert [row[3] for row in rows] == [1, 2, 3]
    assert [(r[0], r[1], r[2], r[4], bytes(r[6])) for r in rows] == [
        (e.id, "batch", e.subject_row, e.type.value, e.body) for e in events
    ]
    assert rows[0][7] == '{"receivers": ["crm"]}'


async def test_an_event_is_owed_to_each_receiver_and_one_without_receivers_is_kept(
    store: Store,
) -> None:
    await store.add("b1", "b2")

    await store.tell("b1", "b2", receivers=("crm", "ops"))
    claims = (await store.claim()).claims
    await store.write(*(store.record_of(c, running(calls=2), receivers=()) for c in claims))

    assert await store.value("SELECT count(*) FROM events") == 4
    assert await store.value("SELECT count(*) FROM deliveries") == 4


async def test_a_poisoned_value_refuses_its_whole_group_and_writes_nothing(store: Store) -> None:
    await store.add("b1", "b2")
    good, bad = (await store.claim()).claims
    spoiled = replace(store.record_of(bad, running()), owed=())
    known = spoiled.watch.known
    assert known is not None
    group = [
        store.record_of(good, running()),
        replace(spoiled, watch=replace(spoiled.watch, known=replace(known, valid_contacts=2**70))),
    ]

    with pytest.raises(StorageError):
        await store.write(*group)

    for table in ("events", "snapshots", "deliveries"):
        assert await store.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 (ours)
    assert await store.value("SELECT count(*) FROM batches WHERE status IS NOT NULL") == 0


@pytest.mark.parametrize(
    "change",
    [
        {"name": "\ud800"},
        {"name": "a\x00b"},
        {"status": "\udfff"},
        {"counts": {"\x00": 1}},
        {"open_calls": 2**70},
        {"total_contacts": 2**63},
        {"valid_contacts": -(2**63) - 1},
        {"unknown_statuses": ("\ud800",)},
    ],
    ids=str,
)
async def test_a_value_is_either_refused_or_comes_back_as_it_went(
    store: Store, change: dict[str, Any]
) -> None:
    await store.add("b1", "b2")
    good, bad = (await store.claim()).claims
    known = replace(BARE, **change)
    spoiled = BatchRecord(
        watch=replace(bad.watch, known=known), epoch=bad.epoch, next_poll_at=NOW, learned=True
    )

    try:
        await store.write(store.record_of(good, running(), due=NOW), spoiled)
    except DataRefusedError:
        assert await store.value("SELECT count(*) FROM batches WHERE status IS NOT NULL") == 0
        assert await store.value("SELECT count(*) FROM events") == 0
    else:
        claims = (await store.claim()).claims
        assert known in [claim.watch.known for claim in claims]


async def test_a_failed_group_says_nothing_of_its_values(store: Store) -> None:
    await store.add("b1")
    claim = await store.claim_one()
    known = replace(BARE, valid_contacts=2**70, name="+19876543007")
    watch = replace(claim.watch, known=known)

    with pytest.raises(StorageError) as caught:
        await store.write(
            BatchRecord(watch=watch, epoch=claim.epoch, next_poll_at=NOW, learned=True)
        )

    assert "9876543007" not in str(caught.value)
    assert str(2**70) not in str(caught.value)


async def test_the_same_event_twice_is_refused_as_data(store: Store) -> None:
    await store.add("b1")
    claim = await store.claim_one()
    first = store.record_of(claim, running(), due=NOW)
    await store.write(first)
    again = await store.claim_one()

    with pytest.raises(DataRefusedError, match=r"integrity error|unique violation"):
        await store.write(replace(first, epoch=again.epoch, snapshot=None))


async def test_heads_of_lanes_are_due_and_those_behind_them_are_not(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2")
    await store.tell("b1", "b2")

    rows = await store.rows(
        "SELECT sequence, due_at, enqueued_at, state, attempts FROM deliveries ORDER BY id"
    )

    now = int(NOW.timestamp() * 1000)
    assert sorted(map(tuple, rows), key=str) == sorted(
        [(1, now, now, "pending", 0)] * 2 + [(2, None, now, "pending", 0)] * 2, key=str
    )


async def test_heads_are_born_claimed_as_many_as_there_is_room(store: Store) -> None:
    await store.add("b1", "b2", "b3")

    recorded = await store.tell(
        "b1", "b2", "b3", receivers=("crm", "ops"), reservation=reservation({"crm": 2, "ops": 0})
    )

    assert [d.receiver for d in recorded.reserved] == ["crm", "crm"]
    assert len(await store.take("crm")) == 1
    assert len(await store.take("ops")) == 3


async def test_a_delivery_born_claimed_is_the_one_that_is_stored(store: Store) -> None:
    await store.add("b1")
    recorded = await store.tell("b1", reservation=reservation({"crm": 8}))
    (reserved,) = recorded.reserved

    assert await store.take() == []
    await store.settle(reserved)

    rows = await store.rows(
        "SELECT d.id, d.state, d.epoch, e.id, e.type, e.body FROM deliveries d"
        " JOIN events e ON e.id = d.event"
    )
    ((row, state, epoch, event, type_, body),) = rows
    assert (row, state, epoch) == (reserved.row, "delivered", reserved.epoch)
    assert (event, type_, bytes(body)) == (reserved.event_id, reserved.event_type, reserved.body)
    assert (reserved.subject_kind, reserved.sequence, reserved.attempts) == (
        SubjectKind.BATCH,
        1,
        0,
    )


async def test_each_born_delivery_belongs_to_its_event(store: Store) -> None:
    await store.add(*(f"b{n}" for n in range(50)))
    names = [f"b{n}" for n in range(50)]

    recorded = await store.tell(
        *names, receivers=("crm", "ops"), reservation=reservation({"crm": 99, "ops": 99})
    )

    stored = {
        row[0]: (row[1], row[2])
        for row in await store.rows("SELECT id, event, receiver FROM deliveries")
    }
    assert len(recorded.reserved) == 100
    assert {d.row: (d.event_id, d.receiver) for d in recorded.reserved} == stored


async def test_followers_are_never_born_claimed(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1")

    recorded = await store.tell("b1", reservation=reservation({"crm": 8}))

    assert recorded.reserved == []


async def test_of_two_events_of_one_poll_only_the_first_is_born_claimed(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1", receivers=())
    both = running(calls=5, status="paused", phase=Phase.PAUSED)

    recorded = await store.tell("b1", reading=both, reservation=reservation({"crm": 8}))

    assert [d.event_type for d in recorded.reserved] == ["batch.counts_changed"]
    assert await store.value("SELECT count(*) FROM deliveries WHERE due_at IS NULL") == 1


async def test_a_lease_of_a_born_delivery_runs_out_like_any_other(store: Store) -> None:
    await store.add("b1")
    recorded = await store.tell("b1", reservation=reservation({"crm": 8}))

    (again,) = await store.take(at=NOW + MINUTE)
    await store.settle(*recorded.reserved)

    assert again.row == recorded.reserved[0].row
    assert await store.value("SELECT state FROM deliveries") == "pending"


async def test_a_sources_health_and_its_event_are_written_with_the_polls(store: Store) -> None:
    await store.add("b1")
    source = await store.source()
    health = Health(
        sequence=1,
        failing_since=NOW,
        kind=FailureKind.FORBIDDEN,
        status_code=403,
        recovered_at=NOW - SECOND,
        streak_kind=StreakKind.FORBIDDEN,
        streak_polls=3,
        streak_since=NOW,
        streak_batches=(1, 2),
        streak_number=4,
        failed_streak=5,
    )
    record = SourceRecord(
        row=source.row, version=source.version, health=health, blocked_until=NOW + MINUTE
    )

    await store.write(await poll(store), sources=[replace(record, owed=(source_event(source),))])

    after = await read_source(store.database, source.row)
    assert (after.health, after.blocked_until) == (health, NOW + MINUTE)
    assert after.version == source.version + 1
    assert await store.value("SELECT count(*) FROM deliveries") == 2


async def test_a_source_that_was_moved_meanwhile_writes_nothing(store: Store) -> None:
    await store.add("b1")
    source = await store.source()
    record = SourceRecord(
        row=source.row, version=source.version, health=Health(streak_polls=1), blocked_until=None
    )
    await store.write(sources=[record])
    seen = await poll(store)

    with pytest.raises(SourceMovedError):
        await store.write(seen, sources=[replace(record, owed=(source_event(source),))])

    assert await store.value("SELECT count(*) FROM events") == 0
    assert (await read_source(store.database, source.row)).version == source.version + 1
    assert len((await store.write(seen)).claims) == 1


async def test_an_empty_group_is_no_harm(store: Store) -> None:
    assert (await store.write()).claims == set()


async def test_times_are_kept_to_the_millisecond(store: Store) -> None:
    await store.add("b1")
    at: datetime = NOW + timedelta(microseconds=1999)

    claim = await store.claim_one(at=at)
    await store.write(store.record_of(claim, running(), at=at, due=at))

    watch = (await store.claim_one(at=at)).watch
    assert watch.last_poll_at == NOW + timedelta(milliseconds=1)
