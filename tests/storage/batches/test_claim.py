import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from monitor.core.errors import StorageError
from monitor.storage.batches.claim import (
    Claim,
    claim_batches,
    count_watched,
    draw_extra,
    due_sources,
    hasten_batches,
    release_batches,
    unclaim_batches,
)
from monitor.storage.batches.register import unregister_batches
from monitor.storage.database import Database
from monitor.storage.sources import read_source
from tests.storage.store import LEASE, MINUTE, NOW, SECOND, Store, running

Open = Callable[[str], Database]


def ids(claims: list[Claim]) -> list[str]:
    return sorted(claim.watch.batch.id for claim in claims)


async def block(store: Store, until_seconds: float = 0) -> None:
    await store.run(
        "UPDATE sources SET blocked_until = :until",
        until=int(NOW.timestamp() * 1000 + until_seconds * 1000),
    )


async def test_only_due_batches_are_claimed(store: Store) -> None:
    await store.add("b1", at=NOW)
    await store.add("b2", at=NOW + MINUTE)

    claimed = await store.claim(at=NOW + 30 * SECOND)

    assert ids(claimed.claims) == ["b1"]
    assert (claimed.claims[0].due_at, claimed.claims[0].probe) == (NOW, False)


async def test_a_claim_takes_only_its_own_source(store: Store) -> None:
    await store.add("b1", source="bolna")
    await store.add("b2", source="vogent")

    assert ids((await store.claim(source="vogent")).claims) == ["b2"]
    assert ids((await store.claim(source="bolna")).claims) == ["b1"]


async def test_the_longest_due_are_claimed_first(store: Store) -> None:
    for number in (3, 1, 2):
        await store.add(f"b{number}", at=NOW + number * SECOND)

    first = await store.claim(want=2, at=NOW + MINUTE)
    second = await store.claim(want=2, at=NOW + MINUTE)

    assert (ids(first.claims), ids(second.claims)) == (["b1", "b2"], ["b3"])


@pytest.mark.parametrize("registered", [1, 2, 3, 10, 300])
async def test_a_claim_never_brings_more_than_was_asked_for(store: Store, registered: int) -> None:
    await store.add(*(f"b{n}" for n in range(registered)))
    if store.database.dialect == "postgresql":  # a plan made for what is there
        await store.run("ANALYZE batches")

    claimed = [len((await store.claim(want=2)).claims) for _ in range(registered)]

    assert max(claimed) <= 2
    assert sum(claimed) == registered


async def test_a_claim_draws_on_the_budget_and_the_budget_fills_with_time(store: Store) -> None:
    await store.add(*(f"b{n}" for n in range(100)))

    first = await store.claim(rate=2.0, at=NOW)
    at_once = await store.claim(rate=2.0, at=NOW)
    too_soon = await store.claim(rate=2.0, at=NOW + 0.4 * SECOND)
    a_second_on = await store.claim(rate=2.0, at=NOW + SECOND)
    an_hour_on = await store.claim(rate=2.0, at=NOW + 60 * MINUTE)

    brought = [len(c.claims) for c in (first, at_once, too_soon, a_second_on)]
    assert brought == [10, 0, 0, 2]  # 5 seconds' worth, none, not a whole one, a second's
    assert len(an_hour_on.claims) == 10  # never more than 5 seconds' worth


async def test_a_budget_below_one_in_five_seconds_still_lets_one_poll_through(
    store: Store,
) -> None:
    await store.add("b1", "b2")
    rate = 1 / 60

    first = await store.claim(rate=rate, at=NOW)
    half_a_minute_on = await store.claim(rate=rate, at=NOW + 30 * SECOND)
    a_minute_on = await store.claim(rate=rate, at=NOW + 61 * SECOND)

    assert [len(c.claims) for c in (first, half_a_minute_on, a_minute_on)] == [1, 0, 1]


async def test_a_clock_that_goes_back_fills_no_budget_and_empties_none(store: Store) -> None:
    await store.add(*(f"b{n}" for n in range(20)))
    await store.claim(rate=2.0, want=4, at=NOW + MINUTE)

    claimed = await store.claim(rate=2.0, at=NOW)

    assert len(claimed.claims) == 6


async def test_a_claim_without_a_find_costs_nothing(store: Store) -> None:
    await store.source()
    before = await store.value("SELECT tokens_at FROM sources")

    assert (await store.claim()).claims == []
    assert await store.value("SELECT tokens_at FROM sources") == before


async def test_a_claim_carries_owner_lease_and_epoch(store: Store) -> None:
    await store.add("b1")

    claim = await store.claim_one(owner="two", lease=LEASE)

    (row,) = await store.rows("SELECT lease_owner, next_poll_at, due_at, epoch FROM batches")
    now = int(NOW.timestamp() * 1000)
    assert tuple(row) == ("two", now + 35_000, now, claim.epoch)


async def test_a_claimed_batch_is_nobody_elses_until_its_lease_runs_out(store: Store) -> None:
    await store.add("b1")
    first = await store.claim_one(owner="one")

    meanwhile = await store.claim(owner="two", at=NOW + LEASE - SECOND)
    later = await store.claim_one(owner="two", at=NOW + LEASE)

    assert meanwhile.claims == []
    assert later.epoch == first.epoch + 1


async def test_the_write_back_of_a_lease_that_ran_out_is_ignored(store: Store) -> None:
    await store.add("b1")
    old = await store.claim_one(owner="one")
    new = await store.claim_one(owner="two", at=NOW + LEASE)

    late = await store.write(store.record_of(old, running()), owner="one")
    in_time = await store.write(store.record_of(new, running(calls=2)), owner="two")

    assert (late.claims, len(in_time.claims)) == (set(), 1)
    assert await store.value("SELECT count(*) FROM events") == 1
    assert await store.value("SELECT counts FROM batches") == '{"ringing": 2}'


async def test_of_two_results_that_come_at_once_only_that_of_the_claim_is_written(
    store: Store,
) -> None:
    """As after a pause beyond the lease, when both answers have come."""
    await store.add("b1")
    old = await store.claim_one()
    new = await store.claim_one(at=NOW + LEASE)

    both = (store.record_of(old, running()), store.record_of(new, running(calls=2)))
    recorded = await store.write(*both)

    assert len(recorded.claims) == 1
    assert await store.value("SELECT counts FROM batches") == '{"ringing": 2}'
    assert await store.value("SELECT count(*) FROM events") == 1
    assert await store.value("SELECT count(*) FROM snapshots") == 1


async def test_a_write_back_twice_counts_once(store: Store) -> None:
    await store.add("b1")
    claim = await store.claim_one()

    first = await store.write(store.record_of(claim, running()))
    again = await store.write(store.record_of(claim, running()))

    assert (len(first.claims), again.claims) == (1, set())


async def test_removing_a_batch_fences_the_poll_under_way(store: Store) -> None:
    await store.add("b1")
    claim = await store.claim_one()
    await unregister_batches(store.database, "bolna", ["b1"])

    written = await store.write(store.record_of(claim, running()))

    assert written.claims == set()
    assert await store.value("SELECT count(*) FROM events") == 0
    assert await store.value("SELECT next_poll_at FROM batches") is None


async def test_removing_and_adding_again_fences_the_poll_under_way(store: Store) -> None:
    await store.add("b1")
    claim = await store.claim_one()
    await unregister_batches(store.database, "bolna", ["b1"])
    await store.add("b1")

    written = await store.write(store.record_of(claim, running()))

    assert written.claims == set()
    assert await store.value("SELECT status FROM batches") is None


async def test_a_blocked_source_gives_nothing(store: Store) -> None:
    await store.add("b1")
    await block(store, until_seconds=60)

    claimed = await store.claim(at=NOW + 59 * SECOND)

    assert claimed.claims == []
    assert claimed.source.blocked_until == NOW + MINUTE


async def test_a_blocked_source_is_tried_with_one_poll_and_stays_blocked_for_its_lease(
    store: Store,
) -> None:
    await store.add("b1", "b2", "b3")
    await block(store)

    first = await store.claim(at=NOW + SECOND)
    meanwhile = await store.claim(at=NOW + LEASE)
    next_one = await store.claim(at=NOW + LEASE + SECOND)

    assert [c.probe for c in first.claims] == [True]
    assert meanwhile.claims == []
    assert [c.probe for c in next_one.claims] == [True]


async def test_each_probe_takes_the_batch_that_was_polled_longest_ago_due_or_not(
    store: Store,
) -> None:
    await store.add("b1", "b2", "b3")
    for number, claim in enumerate((await store.claim()).claims):
        at = NOW + number * SECOND
        seen = store.record_of(claim, running(), at=at, due=NOW + 1000 * MINUTE)
        await store.write(seen, at=at)
    oldest_first = [
        row[0] for row in await store.rows("SELECT external_id FROM batches ORDER BY last_poll_at")
    ]

    probed = []
    for minute in range(1, 4):
        at = NOW + minute * MINUTE
        await block(store)
        claim = await store.claim_one(at=at)
        probed.append(claim.watch.batch.id)
        await store.write(store.record_of(claim, running(), at=at, due=at + 60 * MINUTE), at=at)

    assert probed == oldest_first


async def test_a_batch_never_polled_is_probed_first_and_one_under_way_not_at_all(
    store: Store,
) -> None:
    await store.add("b1")
    under_way = await store.claim_one()
    await store.add("b2", at=NOW + 60 * MINUTE)
    await block(store)

    claim = await store.claim_one(at=NOW + SECOND)

    assert (under_way.watch.batch.id, claim.watch.batch.id) == ("b1", "b2")


async def test_no_batch_is_probed_that_is_no_longer_polled(store: Store) -> None:
    await store.add("b1")
    await unregister_batches(store.database, "bolna", ["b1"])
    await block(store)

    assert (await store.claim(at=NOW + SECOND)).claims == []


async def test_hastened_batches_are_due_earlier_never_later_and_claimed_ones_stay(
    store: Store,
) -> None:
    await store.add("late", "soon", "claimed")
    await store.run("UPDATE batches SET next_poll_at = 9999999999999")
    soon = int(NOW.timestamp() * 1000)
    await store.run("UPDATE batches SET next_poll_at = :at WHERE external_id = 'soon'", at=soon)
    await store.run("UPDATE batches SET lease_owner = 'one' WHERE external_id = 'claimed'")

    await hasten_batches(store.database, "bolna", by=NOW + SECOND)

    rows = await store.rows("SELECT external_id, next_poll_at FROM batches WHERE source = 'bolna'")
    planned = {row[0]: row[1] for row in rows}
    assert planned == {"late": soon + 1000, "soon": soon, "claimed": 9999999999999}


async def test_released_batches_are_due_when_they_were(store: Store) -> None:
    await store.add("b1")
    await store.add("b2", at=NOW - MINUTE)
    await store.claim(owner="one")

    released = await release_batches(store.database, owner="one")

    again = await store.claim(owner="two")
    assert released == 2
    assert sorted(claim.due_at for claim in again.claims) == [NOW - MINUTE, NOW]


async def test_releasing_fences_the_polls_under_way(store: Store) -> None:
    await store.add("b1")
    claim = await store.claim_one(owner="one")
    await release_batches(store.database, owner="one")

    written = await store.write(store.record_of(claim, running()), owner="one")

    assert written.claims == set()


async def test_batches_claimed_for_nothing_are_due_when_they_were_unless_claimed_anew(
    store: Store,
) -> None:
    await store.add("b1", "b2")
    claimed = (await store.claim(at=NOW)).claims
    due = {claim.watch.batch.id: claim.due_at for claim in claimed}
    await release_batches(store.database, owner=None)
    (anew,) = (await store.claim(at=NOW, want=1)).claims

    await unclaim_batches(store.database, claimed)
    (other,) = (await store.claim(at=NOW)).claims
    assert other.watch.batch.id != anew.watch.batch.id

    await unclaim_batches(store.database, [other, anew])
    again = (await store.claim(at=NOW)).claims
    assert {claim.watch.batch.id: claim.due_at for claim in again} == due


async def test_an_owner_releases_only_its_own_and_nobody_in_particular_all(store: Store) -> None:
    await store.add("b1", "b2", "b3")
    await store.claim(want=1, owner="one")
    await store.claim(want=1, owner="two")

    assert await release_batches(store.database, owner="two") == 1
    assert await release_batches(store.database, owner=None) == 1
    assert len((await store.claim()).claims) == 3


async def test_a_forgotten_batch_is_not_claimed(store: Store) -> None:
    await store.add("b1")
    claim = await store.claim_one()
    seen = store.record_of(claim, running())
    await store.write(
        type(seen)(watch=seen.watch, epoch=seen.epoch, next_poll_at=None, learned=True)
    )

    assert (await store.claim(at=NOW + 100_000 * MINUTE)).claims == []


async def test_sources_are_told_with_when_they_are_due(store: Store) -> None:
    await store.add("b1", source="bolna", at=NOW + MINUTE)
    await store.add("b2", source="bolna", at=NOW)
    await store.add("v1", source="vogent", at=NOW + 5 * MINUTE)
    await store.source("idle")

    assert await due_sources(store.database) == {
        "bolna": NOW,
        "vogent": NOW + 5 * MINUTE,
    }


async def test_polled_batches_are_counted_up_to_a_limit(store: Store) -> None:
    await store.add("b1", "b2", "b3", "b4")
    await unregister_batches(store.database, "bolna", ["b1"])

    assert await count_watched(store.database, "bolna", limit=10) == 3
    assert await count_watched(store.database, "bolna", limit=2) == 2
    assert await count_watched(store.database, "vogent", limit=2) == 0


async def test_daemons_that_claim_at_once_never_claim_the_same_batch(
    store: Store, database_url: str, open_database: Open
) -> None:
    await store.add(*(f"b{n}" for n in range(300)))
    source = (await store.source()).row
    taken: Counter[str] = Counter()

    async def daemon(owner: str) -> None:
        database = open_database(database_url)
        empty = 0
        while empty < 3:
            try:
                claimed = await claim_batches(
                    database,
                    source,
                    want=7,
                    rate=1e6,
                    now=NOW,
                    lease=timedelta(hours=1),
                    owner=owner,
                )
            except StorageError:  # SQLite allows one daemon; a busy file is an answer too
                continue
            taken.update(claim.watch.batch.id for claim in claimed.claims)
            empty += not claimed.claims

    await asyncio.gather(*(daemon(f"d{n}") for n in range(4)))

    assert len(taken) == 300
    assert set(taken.values()) == {1}


async def test_a_probe_moves_the_sources_version(store: Store) -> None:
    source = await store.source()
    await store.add("b1")
    await block(store)

    probed = await store.claim()

    assert probed.claims[0].probe
    assert probed.source.version > source.version
    stored = await read_source(store.database, source.row)
    assert (stored.version, stored.blocked_until) == (
        probed.source.version,
        probed.source.blocked_until,
    )


async def test_requests_made_besides_go_off_the_budget_even_when_nothing_is_due(
    store: Store,
) -> None:
    await store.source()

    await store.claim(rate=2.0, extra=14)
    await store.add(*(f"b{n}" for n in range(20)))
    in_debt = await store.claim(rate=2.0, at=NOW + SECOND)
    later = await store.claim(rate=2.0, at=NOW + 4 * SECOND)

    assert in_debt.claims == []  # 10 - 14 + 2
    assert len(later.claims) == 4


async def test_a_debt_is_at_most_a_minutes_worth(store: Store) -> None:
    await store.add("b1")

    await store.claim(rate=2.0, extra=100_000)

    assert (await store.claim(rate=2.0, at=NOW + MINUTE)).claims == []
    assert len((await store.claim(rate=2.0, at=NOW + MINUTE + SECOND)).claims) == 1


async def test_requests_are_drawn_at_once_and_the_wait_for_the_end_of_the_debt_told(
    store: Store,
) -> None:
    row = (await store.source()).row

    free = await draw_extra(store.database, row, 10, rate=2.0, now=NOW)
    owing = await draw_extra(store.database, row, 6, rate=2.0, now=NOW)
    still = await draw_extra(store.database, row, 0, rate=2.0, now=NOW + SECOND)

    assert (free, owing, still) == (timedelta(), 3 * SECOND, 2 * SECOND)


async def test_requests_of_a_blocked_source_are_drawn_without_moving_its_pause(
    store: Store,
) -> None:
    await store.add("b1")
    await block(store, until_seconds=60)

    claimed = await store.claim(rate=2.0, extra=12)

    assert (claimed.claims, claimed.source.blocked_until) == ([], NOW + MINUTE)
    assert await store.value("SELECT tokens FROM sources") == -2


async def test_a_claim_tells_whether_room_or_budget_were_all_used(store: Store) -> None:
    await store.add(*(f"b{n}" for n in range(10)))

    by_room = await store.claim(want=2, rate=1000.0)
    by_budget = await store.claim(want=100, rate=0.5, at=NOW)
    broke = await store.claim(want=100, rate=0.5, at=NOW)
    ample = await store.claim(want=100, rate=1000.0, at=NOW + SECOND)

    assert [c.pressed for c in (by_room, by_budget, broke, ample)] == [True, True, True, False]


async def show(store: Store, phase: str, *ids: str, due: datetime = NOW) -> None:
    """Let batches have been read once, and be due."""
    await store.add(*ids)
    for id_ in ids:
        await store.run(
            "UPDATE batches SET phase = :phase, next_poll_at = :at WHERE external_id = :id",
            phase=phase,
            at=int(due.timestamp() * 1000),
            id=id_,
        )


async def test_a_pressed_claim_gives_most_of_its_room_to_batches_that_run(store: Store) -> None:
    await show(store, "pending", *(f"p{n}" for n in range(20)), due=NOW - MINUTE)
    await show(store, "running", *(f"r{n}" for n in range(20)))

    claimed = await store.claim(want=10, dice=0.5)

    assert Counter(id_[0] for id_ in ids(claimed.claims)) == {"r": 8, "p": 2}


async def test_what_batches_that_run_leave_free_others_take_and_the_other_way_round(
    store: Store,
) -> None:
    await show(store, "running", "r1", "r2")
    await show(store, "pending", *(f"p{n}" for n in range(20)))
    mixed = await store.claim(want=10, dice=0.0)
    await show(store, "running", *(f"s{n}" for n in range(20)))
    await store.run("UPDATE batches SET next_poll_at = NULL WHERE phase = 'pending'")

    alone = await store.claim(want=10, dice=0.0)

    assert Counter(id_[0] for id_ in ids(mixed.claims)) == {"r": 2, "p": 8}
    assert Counter(id_[0] for id_ in ids(alone.claims)) == {"s": 10}


async def test_one_poll_in_five_of_the_smallest_claims_goes_to_what_is_due_longest(
    store: Store,
) -> None:
    await show(store, "running", *(f"r{n}" for n in range(10)))
    await show(store, "pending", *(f"p{n}" for n in range(10)), due=NOW - MINUTE)

    claims = [await store.claim_one(want=1, dice=(0.05 + n / 10) % 1) for n in range(10)]

    assert Counter(claim.watch.batch.id[0] for claim in claims) == {"r": 8, "p": 2}


async def test_under_a_budget_of_a_third_batches_that_run_keep_their_interval_and_nobody_starves(
    store: Store,
) -> None:
    """100 batches at 30 s need 200 polls a minute and may have 66; each minute is four claims."""
    running_ids = [f"r{n}" for n in range(20)]
    waiting = [f"p{n}" for n in range(80)]
    await show(store, "running", *running_ids)
    await show(store, "pending", *waiting)
    interval, turn = 30 * SECOND, 15 * SECOND
    polled: dict[str, list[datetime]] = {id_: [] for id_ in (*running_ids, *waiting)}

    for number in range(4 * 12):
        at = NOW + number * turn
        dice = number * 0.618 % 1
        # the bucket holds 5 s worth: so many claims a turn, all in its first moments
        claimed = await store.claim(rate=16.5 / 5, want=100, at=at, dice=dice)
        for claim in claimed.claims:
            polled[claim.watch.batch.id].append(at)
        due = int((at + interval).timestamp() * 1000)
        await store.run(
            "UPDATE batches SET next_poll_at = :due, lease_owner = NULL"
            " WHERE lease_owner IS NOT NULL",
            due=due,
        )

    assert sum(map(len, polled.values())) < 100 * 24 / 2.9
    gaps = {id_: max(b - a for a, b in pairwise(times)) for id_, times in polled.items()}
    assert max(gaps[id_] for id_ in running_ids) <= interval + turn
    assert max(gaps[id_] for id_ in waiting) <= 5 * MINUTE
