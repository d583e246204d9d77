import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from monitor.core.delivery import Delivery, VerdictKind
from monitor.core.errors import StorageError
from monitor.core.event import SubjectKind
from monitor.storage.database import Database
from monitor.storage.deliveries.lanes import lock_subjects
from monitor.storage.upkeep import repair_lanes
from tests.conftest import Until
from tests.storage.bulk import fill_backlog
from tests.storage.store import MINUTE, NOW, SECOND, Store, reservation

Open = Callable[[str], Database]

STUCK = (
    "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'pending'"
    " GROUP BY receiver, subject_kind, subject_row HAVING count(due_at) <> 1) AS lanes"
)
"""Lanes with no due head, or with more than one."""


def sequences(deliveries: list[Delivery]) -> list[int]:
    return sorted(delivery.sequence for delivery in deliveries)


async def test_only_the_head_of_a_lane_is_claimed(store: Store) -> None:
    await store.add("b1")
    for _ in range(3):
        await store.tell("b1")

    first = await store.take()
    nothing = await store.take(at=NOW + SECOND)

    assert (sequences(first), nothing) == ([1], [])


@pytest.mark.parametrize("kind", [VerdictKind.DELIVERED, VerdictKind.DEAD])
async def test_the_next_of_a_lane_is_due_once_its_head_is_delivered_or_dead(
    store: Store, kind: VerdictKind
) -> None:
    await store.add("b1")
    for _ in range(3):
        await store.tell("b1")

    seen = []
    for _ in range(3):
        (head,) = await store.take()
        seen.append(head.sequence)
        told = await store.settle(head, kind=kind)
        assert told == ({"crm"} if head.sequence < 3 else set())

    assert seen == [1, 2, 3]


async def test_a_head_that_is_tried_again_keeps_its_place(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1")
    await store.tell("b1")
    (head,) = await store.take()

    told = await store.settle(head, kind=VerdictKind.RETRY, due=NOW + MINUTE)

    assert told == set()
    assert await store.take(at=NOW + 59 * SECOND) == []
    assert sequences(await store.take(at=NOW + MINUTE)) == [1]


async def test_lanes_of_other_receivers_and_subjects_go_on_by_themselves(store: Store) -> None:
    await store.add("b1", "b2")
    await store.tell("b1", "b2", receivers=("crm", "ops"))
    await store.tell("b1", "b2", receivers=("crm", "ops"))
    stuck, free = await store.take("crm")

    await store.settle(stuck, kind=VerdictKind.RETRY, due=NOW + MINUTE)
    await store.settle(free)

    assert [d.subject_row for d in await store.take("crm")] == [free.subject_row]
    assert sequences(await store.take("ops")) == [1, 1]


async def test_an_event_after_an_emptied_lane_is_due_at_once(store: Store) -> None:
    await store.add("b1")
    await store.tell("b1")
    await store.settle(*await store.take())

    await store.tell("b1")

    assert sequences(await store.take()) == [2]


async def test_subjects_of_every_kind_can_be_locked_together(store: Store) -> None:
    await store.add("b1", "b2")
    subjects = [
        (SubjectKind.RECEIVER, 1),
        (SubjectKind.BATCH, 2),
        (SubjectKind.SOURCE, 1),
        (SubjectKind.BATCH, 1),
        (SubjectKind.BATCH, 999),
    ]

    await store.database.write(lock_subjects, subjects)


async def relay(store: Store, receiver: str, over: asyncio.Event) -> list[Delivery]:
    """Deliver until all is told and nothing is due any more."""
    settled: list[Delivery] = []
    while True:
        last = over.is_set()
        claimed = await store.take(receiver, limit=8)
        if claimed:
            await store.settle(*claimed)
            settled.extend(claimed)
        elif last:
            return settled


async def test_inserting_while_settling_never_leaves_a_lane_without_a_due_head(
    store: Store, database_url: str, open_database: Open
) -> None:
    """Reproduced without locks on Postgres: the insert sees a head that is being settled."""
    names = [f"b{n}" for n in range(4)]
    await store.add(*names)
    other = Store(open_database(database_url), store.sources)
    rounds = 120 if store.database.dialect == "postgresql" else 30
    dice = random.Random(7)
    over = asyncio.Event()

    async def insert() -> None:
        for _ in range(rounds):
            await store.tell(*names, receivers=("crm", "ops"))
            await asyncio.sleep(dice.random() * 0.003)
        over.set()

    _, crm, ops = await asyncio.gather(
        insert(), relay(other, "crm", over), relay(other, "ops", over)
    )

    assert await store.value("SELECT count(*) FROM deliveries WHERE state = 'pending'") == 0
    assert await repair_lanes(store.database, now=NOW) == 0
    for settled in (crm, ops):
        lanes: dict[int, list[int]] = {}
        for delivery in settled:
            lanes.setdefault(delivery.subject_row, []).append(delivery.sequence)
        assert list(lanes.values()) == [list(range(1, rounds + 1))] * len(names)


async def test_a_settlement_waits_for_whoever_tells_of_its_subject(
    postgres_store: Store, postgres_url: str, open_database: Open, until: Until
) -> None:
    """Else an insert sees a head that is about to go, and leaves its lane without one."""
    await postgres_store.add("b1")
    await postgres_store.tell("b1")
    (head,) = await postgres_store.take()
    patient = "-c lock_timeout=60s -c statement_timeout=60s -c transaction_timeout=60s"
    url = make_url(postgres_url).update_query_dict({"options": patient})
    settler = Store(
        open_database(url.render_as_string(hide_password=False)), postgres_store.sources
    )
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"

    async with await psycopg.AsyncConnection.connect(postgres_url) as teller:
        await teller.execute("SELECT 1 FROM batches FOR UPDATE")
        settling = asyncio.create_task(settler.settle(head))

        async def waits() -> bool:
            found = await (await teller.execute(waiting)).fetchone()
            return found is not None or settling.done()

        await until(waits)
        assert not settling.done()
        await teller.commit()

    assert await settling == set()


async def test_born_claimed_and_settled_at_once_keep_every_lane_moving(
    store: Store, database_url: str, open_database: Open
) -> None:
    names = [f"b{n}" for n in range(4)]
    await store.add(*names)
    other = Store(open_database(database_url), store.sources)
    reserved: asyncio.Queue[Delivery | None] = asyncio.Queue()
    rounds = 60

    async def insert() -> None:
        for _ in range(rounds):
            for delivery in (
                await store.tell(*names, reservation=reservation({"crm": 8}))
            ).reserved:
                reserved.put_nowait(delivery)
        reserved.put_nowait(None)

    async def settle() -> None:
        while (delivery := await reserved.get()) is not None:
            await other.settle(delivery)
            if more := await other.take(limit=8):
                await other.settle(*more)

    await asyncio.gather(insert(), settle())
    while more := await other.take(limit=8):
        await other.settle(*more)

    assert await store.value(STUCK) == 0
    delivered = await store.value("SELECT count(*) FROM deliveries WHERE state = 'delivered'")
    assert delivered == rounds * len(names)


async def test_daemons_that_settle_and_record_at_once_do_not_lock_each_other_out(
    store: Store, database_url: str, open_database: Open
) -> None:
    """Locks are taken in one order: two writers of the same lanes only wait, never for ever."""
    names = [f"b{n}" for n in range(20)]
    await store.add(*names)
    others = [Store(open_database(database_url), store.sources) for _ in range(2)]
    failures = []

    async def send(other: Store, owner: str) -> None:
        for _ in range(60):
            try:
                claimed = await other.take(limit=5, owner=owner)
                random.Random(owner).shuffle(claimed)
                await other.settle(*claimed)
            except StorageError as error:
                failures.append(str(error))

    async def tell() -> None:
        for _ in range(20):
            await store.tell(*names)

    await asyncio.gather(tell(), *(send(o, f"r{n}") for n, o in enumerate(others)))

    assert failures == []
    assert await repair_lanes(store.database, now=NOW) == 0


@contextmanager
def counted(connection: Any) -> Iterator[list[int]]:
    """Count the steps of SQLite's machine."""
    steps = [0]

    def step() -> None:
        steps[0] += 1

    connection.set_progress_handler(step, 1)
    try:
        yield steps
    finally:
        connection.set_progress_handler(None, 1)


async def test_settling_costs_the_same_however_much_waits_behind_it(sqlite_store: Store) -> None:
    """A receiver that was dead for days owes thousands to one lane."""
    await sqlite_store.add("b1")
    await fill_backlog(sqlite_store, 3000, "crm", lane=3000)
    raw = await sqlite_store.database.write(lambda c: c.connection.driver_connection)

    async def settle_next() -> int:
        (head,) = await sqlite_store.take()
        with counted(raw) as steps:
            assert await sqlite_store.settle(head) == {"crm"}
        return steps[0]

    many = await settle_next()
    await sqlite_store.run("DELETE FROM deliveries WHERE sequence > 1000010")
    few = await settle_next()

    assert many < 1.2 * few
    assert sequences(await sqlite_store.take()) == [1000002]
