import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.config.load import load
from monitor.core.delivery import Delivery, Verdict
from monitor.core.errors import StorageError
from monitor.core.event import SubjectKind
from monitor.core.pause import Hold
from monitor.sinks import build
from monitor.sinks.webhook import WebhookSink
from monitor.storage.deliveries.claim import claim_deliveries, settle_deliveries
from monitor.storage.receivers import lift_hold
from tests.conftest import Until
from tests.consumer import Data, sequences
from tests.engine.conftest import Log
from tests.engine.rig import Rig, RoundBell


async def tell(rig: Rig, *names: str, calls: int) -> None:
    """Let batches show other counts, and wait until each was polled after that."""
    rig.show(*names, execution_status={"ringing": calls})


async def test_a_receiver_that_is_down_loses_nothing_and_delays_nobody_else(
    two: Rig, until: Until
) -> None:
    crm, ops = two.consumers["crm"], two.consumers["ops"]
    names = ["b1", "b2", "b3"]
    two.show(*names)
    crm.status = 503
    await two.start()
    await two.add(*names)
    await until(lambda: len(ops.events) == 3)
    for calls in range(1, 6):
        await tell(two, *names, calls=calls)
        await until(lambda n=calls: len(ops.events) == 3 * (n + 1))
    assert crm.events == []

    crm.status = 200
    await two.advance(until, minutes=10)
    await until(lambda: len(crm.events) == len(ops.events) == 18)
    await until(two.settled)

    for name in names:
        assert sequences(crm.of(name)) == sequences(ops.of(name)) == [1, 2, 3, 4, 5, 6]
        assert [e["id"] for e in crm.of(name)] == [e["id"] for e in ops.of(name)]


async def test_a_receiver_that_hangs_delays_nobody_else(two: Rig, until: Until) -> None:
    crm, ops = two.consumers["crm"], two.consumers["ops"]
    crm.hang()
    names = [f"b{n}" for n in range(20)]
    two.show(*names)
    await two.start()
    await two.add(*names)

    await until(lambda: len(ops.events) == 20)

    assert (len(crm.events), crm.in_flight) == (0, 8)


async def test_a_held_receiver_is_tried_with_one_delivery_at_a_time(
    rig: Rig, until: Until, log: Log
) -> None:
    rig.crm.status = 500
    names = [f"b{n}" for n in range(20)]
    rig.show(*names)
    rig.clock.hold()
    await rig.start()
    await rig.add(*names)
    receiver = rig.engine.receivers[0]
    await until(lambda: receiver.hold is not None and receiver.in_flight == 0)
    first = len(rig.crm.arrived)
    assert first <= 8

    waits = []
    for number in range(1, 5):
        assert receiver.hold is not None
        waits.append(round((receiver.hold.until - receiver.held_at).total_seconds()))  # type: ignore[operator]
        await rig.advance(until, seconds=waits[-1])
        await until(lambda n=number: len(rig.crm.arrived) == first + n and not receiver.in_flight)
        await rig.round()
        assert not receiver.in_flight
        assert len(rig.crm.arrived) == first + number

    assert waits == [5, 10, 20, 40]
    rig.crm.status = 200
    await rig.advance(until, seconds=81)
    await until(lambda: len(rig.crm.events) == 20)
    await until(rig.settled)
    lines = [line["event"] for line in log]
    assert lines.count("receiver.held") == lines.count("receiver.released") == 1
    assert "delivery.failed" not in lines
    attempts = await rig.rows("SELECT attempts FROM deliveries")
    assert {row[0] for row in attempts} == {1}  # what holds does not use up the schedule


async def test_the_first_success_lifts_the_hold_and_all_that_waits_goes(
    rig: Rig, until: Until
) -> None:
    rig.crm.script.extend([500])
    names = [f"b{n}" for n in range(30)]
    rig.show(*names)
    await rig.start()
    await rig.add(*names)
    receiver = rig.engine.receivers[0]
    await until(lambda: bool(rig.crm.arrived))

    await rig.advance(until, seconds=6)

    await until(lambda: len(rig.crm.events) == 30)
    assert receiver.hold is None
    assert await rig.value("SELECT held_until IS NULL FROM receivers")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "120"}, 120),
        ({"retry-after": "0"}, 60),
        ({"Retry-After": "999999"}, 3600),
        ({"Retry-After": "nonsense"}, 60),
        ({}, 60),
    ],
)
async def test_a_429_holds_the_receiver_for_as_long_as_it_asks(
    rig: Rig, until: Until, headers: dict[str, str], wait: int
) -> None:
    rig.crm.status, rig.crm.headers = 429, headers
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    receiver = rig.engine.receivers[0]
    await until(lambda: receiver.hold is not None)

    assert receiver.hold is not None
    assert receiver.held_at is not None
    assert receiver.hold.until - receiver.held_at == timedelta(seconds=wait)


async def test_a_hold_outlives_a_restart(rig: Rig, until: Until) -> None:
    rig.crm.status, rig.crm.headers = 429, {"Retry-After": "600"}
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.engine.receivers[0].hold is not None)
    await rig.stop()
    attempts = len(rig.crm.arrived)
    rig.crm.status = 200

    await rig.start()
    await rig.round()
    assert not rig.engine.receivers[0].in_flight
    assert len(rig.crm.arrived) == attempts
    await rig.advance(until, seconds=601)

    await until(lambda: rig.crm.types == ["batch.first_seen"])


async def test_a_410_is_dead_at_once_and_its_lane_goes_on(rig: Rig, until: Until, log: Log) -> None:
    rig.crm.script.append(410)
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.arrived) == 1)

    await tell(rig, "b1", calls=3)
    await until(lambda: len(rig.crm.events) == 1)
    await until(rig.settled)

    assert sequences(rig.crm.events) == [2]
    rows = await rig.rows("SELECT state, attempts FROM deliveries ORDER BY sequence")
    assert [tuple(row) for row in rows] == [("dead", 1), ("delivered", 1)]
    (line,) = [line for line in log if line["event"] == "delivery.dead"]
    assert (line["receiver"], line["status_code"]) == ("crm", 410)
    assert rig.engine.receivers[0].hold is None


async def test_other_refusals_follow_the_schedule_and_end_dead_without_delaying_others(
    rig: Rig, until: Until, log: Log
) -> None:
    rig.receiver_more = 'retry_schedule = ["1h", "1h"]'
    rig.polling += '\nstall_after = "1d"'
    rig.crm.refuse = lambda event: 404 if event["subject"] == "b1" else None
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2")

    def lines() -> list[str]:
        return [line["event"] for line in log if line["event"].startswith("delivery.")]

    for failed in (1, 2):  # two delays are three attempts
        await until(lambda n=failed: lines() == ["delivery.failed"] * n)
        await until(lambda: not rig.engine.receivers[0].in_flight)
        await rig.advance(until, hours=1.2)
    await until(lambda: lines() == ["delivery.failed", "delivery.failed", "delivery.dead"])
    rig.crm.refuse = lambda _event: None
    await tell(rig, "b1", "b2", calls=3)
    await until(lambda: len(rig.crm.events) == 3)

    assert sequences(rig.crm.of("b2")) == [1, 2]
    assert sequences(rig.crm.of("b1")) == [2]  # the gap shows
    rows = await rig.rows("SELECT verdict, status_code FROM attempts WHERE verdict <> 'delivered'")
    assert [tuple(row) for row in rows] == [("retry", 404)] * 3
    assert rig.engine.receivers[0].hold is None


async def test_a_delivery_that_is_tried_again_carries_the_same_id_and_bytes(
    rig: Rig, until: Until
) -> None:
    rig.crm.script.append(404)
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.arrived) == 1)
    await until(lambda: not rig.engine.receivers[0].in_flight)

    await rig.advance(until, seconds=6)
    await until(lambda: len(rig.crm.events) == 1)

    first, second = (one.event for one in rig.crm.arrived)
    assert first == second


async def test_no_more_go_to_a_receiver_at_a_time_than_it_takes(rig: Rig, until: Until) -> None:
    """Deliveries born claimed and deliveries claimed by the loop share the room."""
    names = [f"b{n}" for n in range(60)]
    rig.show(*names)
    rig.crm.pause = 0.005
    most = 0
    await rig.start()
    receiver = rig.engine.receivers[0]

    def watch(event: Data) -> None:
        nonlocal most
        most = max(most, receiver.in_flight)

    rig.crm.refuse = watch
    await rig.add(*names)
    for calls in range(1, 8):
        polls = rig.polls()
        await tell(rig, *names, calls=calls)
        await until(lambda p=polls: rig.polls() > p + 20)  # events come while others are sent
    await until(lambda: len(rig.crm.events) >= 120)
    await until(rig.settled)

    assert most <= receiver.slots == 8


async def test_an_event_is_delivered_without_waiting_for_the_loop(rig: Rig, until: Until) -> None:
    """Born claimed, it is handed over in memory: the relay's own claims may even fail."""
    rig.show("b1")
    await rig.start()
    rig.engine.relay.turn = _idle  # type: ignore[method-assign]
    rig.engine._tasks["relay"].cancel()
    await rig.add("b1")

    await until(lambda: rig.crm.types == ["batch.first_seen"])


async def _idle() -> float:
    """Do nothing."""
    return 0.0


async def test_what_was_claimed_while_it_closed_is_given_back_and_not_sent(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would settle it any more: it would be sent again after the restart."""
    rig.crm.status = 404
    rig.show("b1", "b2")
    rig.clock.hold()
    await rig.start()
    await rig.add("b1", "b2")
    await until(lambda: len(rig.crm.arrived) == 2)
    await until(lambda: not rig.engine.receivers[0].in_flight)
    claiming, closing = asyncio.Event(), asyncio.Event()

    async def claim_slowly(*args: Any, **about: Any) -> list[Delivery]:
        claimed = await claim_deliveries(*args, **about)
        if claimed:
            claiming.set()
            await closing.wait()
        return claimed

    monkeypatch.setattr("monitor.engine.delivering.relay.claim_deliveries", claim_slowly)
    await rig.advance(until, seconds=7)
    await until(claiming.is_set)
    await rig.engine.relay.close(patience=1)
    closing.set()
    await rig.stop()

    assert len(rig.crm.arrived) == 2
    await rig.build()
    assert await rig.value("SELECT count(*) FROM deliveries WHERE lease_owner IS NOT NULL") == 0
    await rig.database.close()


async def test_a_bug_in_a_sink_is_a_failed_attempt_and_stops_nobody(
    rig: Rig, until: Until, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = WebhookSink.send
    crashes = 1

    async def crash(self: WebhookSink, delivery: Delivery, *, sent_at: datetime) -> Verdict:
        nonlocal crashes
        if crashes:
            crashes -= 1
            raise ZeroDivisionError("whsec_secret")
        return await send(self, delivery, sent_at=sent_at)

    monkeypatch.setattr(WebhookSink, "send", crash)
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: crashes == 0)
    await rig.advance(until, seconds=6)

    await until(lambda: rig.crm.types == ["batch.first_seen"])

    (line,) = [line for line in log if line["event"] == "delivery.crashed"]
    assert (line["receiver"], line["error"]) == ("crm", "ZeroDivisionError")
    assert "whsec_secret" not in str(log)
    assert await rig.value("SELECT error FROM attempts WHERE verdict = 'retry'") == "internal"


async def test_attempts_are_counted_by_receiver_and_verdict(rig: Rig, until: Until) -> None:
    rig.crm.script.extend([404, 410])
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2")
    await until(lambda: len(rig.crm.arrived) == 2)
    await until(lambda: not rig.engine.receivers[0].in_flight)
    await rig.advance(until, seconds=6)

    def count(result: str) -> Any:
        labels = {"receiver": "crm", "result": result}
        registry = rig.engine.metrics.registry
        return registry.get_sample_value("monitor_deliveries_total", labels)

    await until(
        lambda: [count(r) for r in ("retry", "dead", "delivered", "hold")] == [1, 1, 1, None]
    )


async def test_a_failing_database_loses_no_attempt_that_was_made(
    rig: Rig, until: Until, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent while the database failed is settled afterwards, and not sent again."""
    failing, tries = True, 0

    async def fail(*args: Any, **about: Any) -> Any:
        nonlocal tries
        tries += 1
        if failing:
            raise StorageError("the database is away")
        return await settle_deliveries(*args, **about)

    monkeypatch.setattr("monitor.engine.delivering.settler.settle_deliveries", fail)
    monkeypatch.setattr("monitor.engine.groups.RETRY", 0.01)
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.arrived) == 1)
    await until(lambda: tries > 2)
    failing = False

    await until(rig.settled)

    def told() -> list[Any]:
        return [line["event"] for line in log if line.get("loop") == "settler"]

    assert len(rig.crm.arrived) == 1
    await until(lambda: told() == ["database.failing", "database.recovered"])  # after the commit


async def test_a_hold_that_somebody_else_lifted_is_over(rig: Rig, until: Until) -> None:
    rig.crm.status = 503
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    receiver, settler = rig.engine.receivers[0], rig.engine.relay.settler
    await until(lambda: receiver.hold is not None and not settler.moves_holds)
    await until(lambda: receiver.in_flight == 0)
    rig.crm.status = 200

    await lift_hold(rig.database, receiver.name, now=rig.clock.now())
    await rig.advance(until, seconds=2)

    await until(lambda: len(rig.crm.events) == 1)
    assert receiver.hold is None


async def test_what_is_committed_after_the_end_is_left_to_the_next_start(
    rig: Rig, until: Until
) -> None:
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.events) == 1)
    [delivery] = [late(rig)]

    await rig.engine.relay.close(patience=0)
    rig.engine.relay.accept([delivery])

    assert not rig.engine.receivers[0].in_flight
    assert len(rig.crm.arrived) == 1


def late(rig: Rig) -> Delivery:
    """Make a delivery such as a commit hands over."""
    return Delivery(
        row=1,
        epoch=1,
        event_id="evt_LATE",
        event_type="batch.first_seen",
        body=b"{}",
        receiver=rig.engine.receivers[0].name,
        subject_kind=SubjectKind.BATCH,
        subject_row=1,
        sequence=1,
        attempts=0,
        observed_at=rig.clock.now(),
        enqueued_at=rig.clock.now(),
    )


async def test_several_attempts_that_fail_at_once_count_as_one_failure(
    rig: Rig, until: Until
) -> None:
    """Also where a sink fails without waiting for anything: its address is forbidden."""
    names = [f"b{n}" for n in range(8)]
    rig.show(*names)
    await rig.build()
    settings = load(rig.write()).receivers["crm"].model_copy(update={"allow_private": False})
    rig.engine.receivers[0].sink = build("crm", settings)
    await rig.start()
    await rig.add(*names)
    await until(lambda: rig.engine.receivers[0].hold is not None)
    await until(lambda: not rig.engine.receivers[0].in_flight)

    hold = rig.engine.receivers[0].hold

    assert hold is not None
    assert hold.until - hold.since <= timedelta(seconds=6)


async def test_a_receiver_that_left_during_a_claim_gets_nothing_more(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.crm.status = 500
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.engine.receivers[0].hold is not None)
    await until(lambda: not rig.engine.receivers[0].in_flight)
    claims = 0

    async def leave(*args: Any, **about: Any) -> Any:
        nonlocal claims
        claims += 1
        rig.engine.relay.change(replace(rig.engine.housekeeping.parts, receivers=[]))
        return await claim_deliveries(*args, **about)

    monkeypatch.setattr("monitor.engine.delivering.relay.claim_deliveries", leave)
    attempts = len(rig.crm.arrived)
    (crm,) = rig.engine.receivers
    rig.clock.advance(seconds=10)

    await until(lambda: claims == 1)
    await crm.sink.close()
    await rig.stop()

    assert len(rig.crm.arrived) == attempts


async def test_only_a_commit_that_owes_more_than_there_is_room_for_makes_the_relay_claim(
    rig: Rig,
) -> None:
    await rig.build()
    relay, receiver = rig.engine.relay, rig.engine.receivers[0]
    assert isinstance(relay.loop.bell, RoundBell)
    receiver.backlog = False
    relay.accept([])
    relay.reserve(["crm"])
    relay.accept([])
    assert not relay.loop.bell.rings

    receiver.in_flight = 2 * receiver.slots
    relay.reserve(["crm"])
    relay.accept([])

    assert relay.loop.bell.rings
    assert receiver.backlog
    await rig.database.close()


async def test_what_is_claimed_already_is_sent_when_its_receiver_takes_something_again(
    rig: Rig, until: Until
) -> None:
    """A claim may come back after the hold began: nothing else wakes its receiver."""
    rig.crm.status = 503
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2")
    (crm,) = rig.engine.receivers
    await until(lambda: crm.hold is not None and crm.in_flight == 0)
    await until(lambda: crm.unsettled == 0)
    rig.crm.status = 200
    later = rig.clock.now() + timedelta(minutes=10)
    claimed = await claim_deliveries(
        rig.database, "crm", limit=8, now=later, lease=crm.lease, owner="test"
    )
    crm.ahead.add(claimed, at=rig.clock.now())

    rig.clock.advance(seconds=6)

    await until(lambda: len(rig.crm.events) == 2)


async def test_a_claim_that_comes_back_after_the_hold_began_is_given_back(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.crm.status = 503
    rig.show("b1", "b2")
    claims: list[Delivery] = []

    async def meanwhile(*args: Any, **kwargs: Any) -> list[Delivery]:
        claimed = await claim_deliveries(*args, **kwargs)
        now = rig.clock.now()
        crm.hold = Hold(until=now + timedelta(minutes=1), since=now, step=0)
        claims.extend(claimed)
        return claimed

    await rig.build()
    (crm,) = rig.engine.receivers
    await rig.start()
    await rig.add("b1", "b2")
    await until(lambda: crm.hold is not None and crm.in_flight == 0)
    monkeypatch.setattr("monitor.engine.delivering.relay.claim_deliveries", meanwhile)

    await rig.advance(until, seconds=6)
    await until(lambda: bool(claims))

    async def free() -> bool:
        leased = "SELECT count(*) FROM deliveries WHERE lease_owner IS NOT NULL"
        return bool(await rig.value(leased) == 0)

    await until(free)
    assert len(crm.ahead) == 0
