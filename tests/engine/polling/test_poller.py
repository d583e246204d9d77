from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.batch import Knowledge, Reading
from monitor.core.source import FAILING_POLLS
from monitor.engine import loop
from monitor.engine.polling.poller import LONGEST_WAIT
from monitor.providers.bolna import Bolna
from monitor.simulator.bolna import bolna_document
from monitor.storage.batches.claim import Claim, claim_batches
from tests.conftest import Until
from tests.descriptors import no_descriptors
from tests.engine.conftest import Log
from tests.engine.rig import Rig
from tests.patient import HANG
from tests.simulator.faults import Fault

FAULTS = [
    Fault.unauthorized(),
    Fault.forbidden(),
    Fault.not_found(),
    Fault.gone(),
    Fault.unprocessable(),
    Fault.rate_limited(1),
    Fault.rate_limited(),
    Fault.rate_limited("nonsense"),
    Fault.server_error(500),
    Fault.server_error(503),
    Fault.redirect("http://127.0.0.1:1/"),
    Fault.html(),
    Fault.empty(),
    Fault.array(),
    Fault.truncated(),
    Fault.other_batch(),
    Fault.status(418),
    Fault.body(b'{"batch_id": "b1", "status": "\\ud800"}', name="surrogate"),
    Fault.body(b'{"batch_id": "b1", "status": "a\\u0000b"}', name="nul"),
    Fault.body(b'{"batch_id": "b1", "status": 7}', name="number_as_status"),
    Fault.body(
        b'{"batch_id": "b1", "status": "running", "total_contacts": 1e999}', name="infinite"
    ),
    Fault.body(b"[" * 100_000, name="deep"),
    Fault.body(b" " * 3_000_000, name="huge"),
    Fault.reset(),
]
ENDLESS = [Fault.black_hole(), Fault.slow_drip(0.05)]
"""Only a deadline ends them: a short one, which healthy polls may miss, too, on a busy machine."""


@pytest.mark.parametrize("fault", [*FAULTS, *ENDLESS], ids=lambda f: f"{f.name}-{f.status_code}")
async def test_a_provider_fault_tells_nothing_and_ends_by_itself(
    rig: Rig, until: Until, log: Log, fault: Fault
) -> None:
    """A few bad answers are no event of a batch, and what they hid comes afterwards."""
    rig.polling = f'interval = "50ms"\ndeadline = "{"1s" if fault in ENDLESS else "60s"}"'
    rig.show("b1", "b2", "b3")
    await rig.start()
    await rig.add("b1", "b2", "b3")
    await until(lambda: len(rig.crm.events) == 3)

    rig.bolna.fault(fault, batch="b1", times=1)
    await until(lambda: any(s.fault == fault.name for s in rig.bolna.record.served))
    rig.show("b1", execution_status={"completed": 7})
    await rig.advance(until, polls_too=True, seconds=61)  # past any pause of the account
    await until(lambda: "batch.counts_changed" in rig.crm.types, what="the change behind it")
    await until(rig.settled)

    told = [t for t in rig.crm.types if not t.startswith("source.")]
    assert told == ["batch.first_seen"] * 3 + ["batch.counts_changed"]
    source = [t for t in rig.crm.types if t.startswith("source.")]
    assert source in ([], ["source.failing", "source.recovered"])
    assert not [line for line in log if line["event"].endswith("crashed")]
    assert rig.bolna.violations == []


async def test_a_bug_in_a_provider_is_a_failed_poll_and_stops_nobody(
    rig: Rig, until: Until, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Bolna.read

    async def crash(self: Bolna, batch_id: str, known: Knowledge | None = None) -> Reading:
        if batch_id == "b1":
            raise ZeroDivisionError("the provider said +19876543007")
        return await read(self, batch_id, known)

    monkeypatch.setattr(Bolna, "read", crash)
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2")

    await until(lambda: rig.polls("b2") > 3)

    assert {e["subject"] for e in rig.crm.events} == {"b2"}
    (line, *_) = [line for line in log if line["event"] == "poll.crashed"]
    assert (line["batch"], line["error"]) == ("b1", "ZeroDivisionError")
    assert "9876543007" not in str(log)


async def test_a_black_hole_does_not_delay_the_other_account(rig: Rig, until: Until) -> None:
    rig.polling = 'interval = "50ms"\ndeadline = "60s"\nconcurrency = 10'
    bad, good = [f"b{n}" for n in range(30)], [f"j{n}" for n in range(3)]
    rig.show(*bad)
    rig.show(*good, api=rig.vogent)
    for name in good:
        rig.vogent.put(name, {"id": name, "status": "ACTIVE"})
    rig.bolna.fault(Fault.black_hole())
    await rig.build()
    await rig.add(*bad)
    await rig.add(*good, source="vogent")
    await rig.start()

    await until(lambda: min(rig.polls(name) for name in good) >= 10)

    assert rig.engine.sources[0].in_flight <= 5


async def test_one_account_takes_at_most_half_of_the_slots_while_others_are_due(
    rig: Rig, until: Until
) -> None:
    rig.polling = 'interval = "10ms"\ndeadline = "30s"\nconcurrency = 8'
    many = [f"b{n}" for n in range(20)]
    jobs = [f"j{n}" for n in range(20)]
    rig.bolna.fault(Fault.black_hole())
    rig.vogent.fault(Fault.black_hole())
    await rig.build()
    await rig.add(*many)
    await rig.add(*jobs, source="vogent")
    await rig.start()

    await until(lambda: rig.polls() == 8)
    await rig.round()

    assert [source.in_flight for source in rig.engine.sources] == [4, 4]
    assert rig.polls() == 8


async def test_an_account_that_is_alone_takes_every_slot_and_no_more(
    rig: Rig, until: Until
) -> None:
    rig.polling = 'interval = "10ms"\ndeadline = "30s"\nconcurrency = 8'
    rig.bolna.fault(Fault.black_hole())
    await rig.build()
    await rig.add(*(f"b{n}" for n in range(20)))
    await rig.start()

    await until(lambda: rig.polls() == 8)
    await rig.round()

    assert rig.engine.sources[0].in_flight == rig.polls() == 8


async def test_a_backlog_goes_on_without_waiting_for_the_next_turn(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.polling = 'interval = "1h"\ndeadline = "5s"\nconcurrency = 10'
    names = [f"b{n}" for n in range(300)]
    rig.show(*names)
    await rig.build()
    await rig.add(*names)
    monkeypatch.setattr("monitor.engine.loop.TURN", 3600.0)
    monkeypatch.setattr("monitor.engine.polling.poller.AGAIN", timedelta(hours=1))
    await rig.start()
    rig.silence()  # nobody rings: the backlog does

    await until(lambda: rig.polls() == 300)


async def test_polls_keep_to_the_budget_of_their_account(rig: Rig, until: Until) -> None:
    rig.rate = "12/min"  # five seconds' worth is one poll
    names = [f"b{n}" for n in range(5)]
    rig.show(*names)
    await rig.build()
    await rig.add(*names)
    rig.clock.hold()
    await rig.start()

    await until(lambda: rig.polls() == 1)
    await rig.advance(until, polls_too=True, seconds=4.9)
    await rig.round()
    assert not rig.is_polling()
    assert rig.polls() == 1
    await rig.advance(until, seconds=0.1)
    await until(lambda: rig.polls() == 2)


async def test_under_pressure_batches_that_run_are_read_before_those_due_longer(
    rig: Rig, until: Until
) -> None:
    rig.polling = 'interval = "1h"\nidle_interval = "1h"'
    rig.rate = "5/s"  # the first claim takes five seconds' worth
    waiting, at_work = [f"p{n}" for n in range(40)], [f"r{n}" for n in range(6)]
    rig.show(*waiting, *at_work)
    await rig.build()
    await rig.add(*waiting)
    await rig.add(*at_work)
    await rig.run("UPDATE batches SET phase = 'running' WHERE external_id LIKE 'r%'")
    await rig.start()
    await until(lambda: rig.polls() >= 25)

    await until(lambda: all(rig.polls(name) for name in at_work))

    assert not all(rig.polls(name) for name in waiting)


async def test_a_429_pauses_the_whole_account_for_as_long_as_it_asks(
    rig: Rig, until: Until
) -> None:
    rig.polling += '\nstall_after = "2h"'
    rig.show("b1", "b2", "b3")
    await rig.start()
    await rig.add("b1", "b2", "b3")
    await until(lambda: len(rig.crm.events) == 3)

    rig.bolna.fault(Fault.rate_limited(1800), times=1)
    await until(lambda: rig.engine.sources[0].blocked_until is not None)
    rig.clock.hold()
    await until(lambda: not any(source.in_flight for source in rig.engine.sources))
    paused = rig.polls()
    await rig.advance(until, polls_too=True, minutes=29)
    await rig.round()
    assert not rig.is_polling()
    assert rig.polls() == paused
    await rig.advance(until, minutes=1)
    await until(lambda: rig.polls() >= paused + 3)

    assert set(rig.crm.types) == {"batch.first_seen"}


async def test_a_5xx_puts_its_batch_off_for_as_long_as_it_asks_and_no_other(
    rig: Rig, until: Until
) -> None:
    rig.polling += '\nstall_after = "2h"'
    rig.show("b1", "b2")
    rig.bolna.fault(Fault.server_error(503, retry_after=1800), batch="b1", times=1)
    await rig.start()
    await rig.add("b1", "b2")

    async def put_off() -> bool:
        due = "SELECT next_poll_at - last_poll_at FROM batches WHERE external_id = 'b1'"
        return bool(await rig.value(due) == 1_800_000)

    await until(put_off)
    others = rig.polls("b2")
    await until(lambda: rig.polls("b2") > others + 3)
    assert rig.polls("b1") == 1
    assert rig.engine.sources[0].blocked_until is None

    await rig.advance(until, polls_too=True, minutes=30)
    await until(lambda: rig.polls("b1") > 1)


async def test_three_5xx_in_a_row_that_ask_for_a_wait_pause_the_account(
    rig: Rig, until: Until
) -> None:
    names = [f"b{n}" for n in range(20)]
    rig.polling += "\nconcurrency = 1"
    rig.show(*names)
    rig.bolna.fault(Fault.server_error(503, retry_after=1800))
    await rig.start()
    await rig.add(*names)

    await until(lambda: rig.engine.sources[0].blocked_until is not None)
    await until(lambda: not rig.is_polling())
    asked = rig.polls()
    await rig.round()

    assert rig.polls() == asked < len(names)


async def test_what_a_paused_account_had_claimed_ahead_is_given_back(
    rig: Rig, until: Until
) -> None:
    """Else it would wait for the end of its lease, however short the pause."""
    rig.polling = 'interval = "1m"\ndeadline = "30s"\nconcurrency = 1'
    names = [f"b{n}" for n in range(100)]
    rig.show(*names)
    await rig.build()
    await rig.add(*names)
    rig.bolna.fault(Fault.rate_limited(1800), times=1)
    rig.engine.sources[0].ahead.size = len(names)  # as at hundreds of polls a second

    await rig.start()
    await until(lambda: rig.engine.sources[0].blocked_until is not None)

    async def free() -> bool:
        claimed = "SELECT count(*) FROM batches WHERE lease_owner IS NOT NULL"
        return bool(await rig.value(claimed) == 0)

    await until(free)
    assert rig.polls() < len(names)


async def test_what_waited_too_long_for_a_slot_is_given_back(rig: Rig) -> None:
    rig.show("b1", "b2")
    await rig.build()
    await rig.add("b1", "b2")
    source = rig.engine.sources[0]
    now = rig.clock.now()
    claimed = await claim_batches(
        rig.database,
        source.row,
        want=2,
        rate=1e6,
        now=now,
        lease=timedelta(minutes=1),
        owner="test",
    )
    source.ahead.add(claimed.claims, at=now - LONGEST_WAIT)

    assert not rig.engine.poller._begin_next()
    await rig.engine.poller._give_back()

    assert await rig.value("SELECT count(*) FROM batches WHERE lease_owner IS NULL") == 2
    await rig.database.close()


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (datetime(2000, 1, 1, tzinfo=UTC), 60),
        (timedelta(minutes=30), 1800),
        (datetime(2999, 1, 1, tzinfo=UTC), 3600),
        ("9" * 5000, 3600),
        ("-7", 60),
        ("soon", 60),
        (None, 60),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_429_pauses_for_seconds_or_until_a_date_within_bounds(
    rig: Rig, until: Until, asked: datetime | timedelta | str | None, wait: int
) -> None:
    date = rig.clock.now() + asked if isinstance(asked, timedelta) else asked
    rig.bolna.fault(Fault.rate_limited(date), times=1)
    rig.clock.hold()
    await rig.start()
    began = rig.clock.now()
    await rig.add("b1")
    source = rig.engine.sources[0]

    await until(lambda: source.blocked_until is not None)

    assert source.blocked_until is not None
    paused = (source.blocked_until - began).total_seconds()
    passed = HANG if isinstance(asked, timedelta) else 0.01  # until the date is read
    assert paused == pytest.approx(wait, abs=passed)


async def test_a_refused_key_is_tried_once_a_minute(rig: Rig, until: Until) -> None:
    rig.bolna.fault(Fault.unauthorized())
    await rig.build()
    await rig.add("b1", "b2", "b3")
    await rig.start()
    await until(lambda: rig.crm.types == ["source.failing"])
    await until(lambda: not rig.is_polling())

    for _ in range(3):
        await probe(rig, until)

    assert rig.crm.types == ["source.failing"]


async def test_polls_without_descriptors_blame_neither_batch_nor_source(
    rig: Rig, until: Until, log: Log
) -> None:
    names = ["b1", "b2", "b3"]
    rig.show(*names)
    rig.polling += '\nstall_after = "off"'
    await rig.start()
    await rig.add(*names)
    await until(lambda: len(rig.crm.events) == len(names))
    await until(rig.settled)
    await rig.bolna.stop()  # which closes the connections that are there
    await rig.bolna.start()

    with no_descriptors():
        for told in (1, 2):  # each ten minutes
            await until(lambda told=told: told_of(log, "descriptors.exhausted") >= told)
            rig.clock.advance(minutes=11)

    polls = rig.polls()
    await until(lambda: rig.polls() >= polls + 3)
    assert rig.crm.types == ["batch.first_seen"] * 3
    assert told_of(log, "source.failing") == 0


def told_of(log: Log, event: str) -> int:
    return sum(line["event"] == event for line in log)


async def fail(rig: Rig, until: Until, fault: Fault) -> None:
    """Let the account fail for good."""
    await until(rig.settled)  # or leases run out when the clock is put forward
    rig.bolna.fault(fault)
    rig.clock.advance(seconds=6)  # all are due
    await until(lambda: rig.engine.sources[0].health.streak_polls >= FAILING_POLLS)
    await rig.advance(until, minutes=2)
    await until(lambda: "source.failing" in rig.crm.types)


async def probe(rig: Rig, until: Until) -> None:
    """Let a failing account be tried once more, in vain."""
    source, polls = rig.engine.sources[0], rig.polls()
    await rig.advance(until, seconds=61)

    def told() -> bool:
        pause = source.blocked_until
        return pause is not None and pause > rig.clock.now() + timedelta(seconds=30)

    await until(lambda: rig.polls() > polls and told())
    assert rig.polls() <= polls + 2  # a GET over a connection that was cut is repeated once


@pytest.mark.parametrize(
    ("fault", "number"), [(Fault.server_error(), 200), (Fault.reset(), 20), (Fault.html(), 20)]
)
async def test_however_many_batches_a_failing_account_is_one_event_and_one_recovery(
    rig: Rig, until: Until, log: Log, fault: Fault, number: int
) -> None:
    names = [f"b{n}" for n in range(number)]
    rig.polling = 'interval = "5s"\nidle_interval = "5s"\ndeadline = "60s"'
    rig.show(*names)
    await rig.start()
    await rig.add(*names)
    await until(lambda: len(rig.crm.events) == number)

    await fail(rig, until, fault)
    await until(lambda: not rig.engine.sources[0].in_flight)
    for _ in range(3):
        await probe(rig, until)
    rig.bolna.lift()
    await rig.advance(until, seconds=61)
    await until(lambda: "source.recovered" in rig.crm.types)
    polls = rig.polls()
    rig.clock.advance(seconds=6)
    await until(lambda: rig.polls() >= polls + number)
    await until(rig.settled)

    assert rig.crm.types[number:] == ["source.failing", "source.recovered"]
    failing, recovered = rig.crm.events[number:]
    assert (failing["subject"], failing["source"]) == ("bolna", "/sources/bolna")
    assert [e["data"]["sequence"] for e in (failing, recovered)] == [1, 2]
    assert failing["data"]["error"]["kind"]
    lines = [line["event"] for line in log]
    assert lines.count("source.failing") == lines.count("source.recovered") == 1
    assert lines.count("poll.failing") <= 1


async def test_a_failing_account_is_tried_with_one_poll_a_minute_each_time_another_batch(
    rig: Rig, until: Until
) -> None:
    names = [f"b{n}" for n in range(5)]
    rig.show(*names)
    await rig.start()
    await rig.add(*names)
    await until(lambda: len(rig.crm.events) == 5)
    await fail(rig, until, Fault.server_error())
    await until(lambda: not rig.engine.sources[0].in_flight)

    tried = []
    for _ in range(5):
        await probe(rig, until)
        tried.append(rig.bolna.served[-1].batch)

    assert sorted(tried) == names


async def test_any_answer_ends_a_failing_account_a_404_included(rig: Rig, until: Until) -> None:
    rig.show("b1", "b2", "b3")
    await rig.start()
    await rig.add("b1", "b2", "b3")
    await until(lambda: len(rig.crm.events) == 3)
    await fail(rig, until, Fault.server_error())

    rig.bolna.fault(Fault.not_found())
    await rig.advance(until, seconds=61)

    await until(lambda: "source.recovered" in rig.crm.types)


async def test_a_refused_key_is_told_at_once_and_its_recovery_with_the_reading(
    rig: Rig, until: Until
) -> None:
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2")
    await until(lambda: len(rig.crm.events) == 2)

    rig.bolna.fault(Fault.unauthorized())
    await until(lambda: "source.failing" in rig.crm.types)
    rig.bolna.lift()
    rig.show("b1", "b2", execution_status={"completed": 7})
    await rig.advance(until, seconds=61)
    await until(lambda: rig.crm.types.count("batch.counts_changed") == 2)

    assert rig.crm.types[2:4] == ["source.failing", "source.recovered"]
    failing, recovered, change = rig.crm.events[2:5]
    assert failing["data"]["error"] == {"kind": "unauthorized", "status_code": 401}
    assert recovered["time"] == change["time"]


async def test_a_batch_that_is_refused_alone_becomes_unreachable_and_reachable_again(
    rig: Rig, until: Until
) -> None:
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2", "never")
    await until(lambda: rig.crm.types.count("batch.unreachable") == 1)
    rig.show("never")

    await until(lambda: "batch.reachable" in rig.crm.types)

    assert [e["type"] for e in rig.crm.of("never")] == [
        "batch.unreachable",
        "batch.first_seen",
        "batch.reachable",
    ]
    assert rig.crm.of("never")[0]["data"]["status"] is None
    assert not [t for t in rig.crm.types if t.startswith("source.")]


async def test_a_batch_that_never_succeeds_is_unreachable_after_two_minutes(
    rig: Rig, until: Until
) -> None:
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2")
    await until(lambda: len(rig.crm.events) == 2)
    rig.clock.hold()

    rig.bolna.fault(Fault.server_error(), batch="b1")
    for _ in range(5):
        await poll_both(rig, until, seconds=1)
    await poll_both(rig, until, seconds=113)
    assert rig.crm.types == ["batch.first_seen"] * 2

    await poll_both(rig, until, seconds=3)

    await until(lambda: "batch.unreachable" in rig.crm.types)
    assert rig.crm.events[-1]["data"]["error"] == {"kind": "server_error", "status_code": 500}


async def poll_both(rig: Rig, until: Until, *, seconds: float) -> None:
    """Put the clock forward; return once both batches were read then."""
    polls = [rig.polls("b1"), rig.polls("b2")]
    await rig.advance(until, polls_too=True, seconds=seconds)
    await until(lambda: rig.polls("b1") > polls[0] and rig.polls("b2") > polls[1])
    await until(lambda: not rig.is_polling())


async def test_polls_are_counted_by_account_and_result(rig: Rig, until: Until) -> None:
    rig.show("b1")
    await rig.start()
    await rig.add("b1", "none")

    def count(result: str) -> Any:
        labels = {"source": "bolna", "result": result}
        return rig.engine.metrics.registry.get_sample_value("monitor_polls_total", labels)

    await until(lambda: bool(count("ok")) and bool(count("not_found")))
    lag = rig.engine.metrics.registry.get_sample_value("monitor_poll_lag_seconds_count")
    assert lag
    assert lag >= 2


async def test_a_batch_added_to_a_running_daemon_is_polled_with_the_next_turn_that_nobody_rings_for(
    rig: Rig, until: Until
) -> None:
    await rig.start()
    rig.silence()
    rig.bolna.put("b1", bolna_document("b1"))

    await rig.add("b1")

    await until(lambda: rig.polls("b1") > 0)
    assert loop.TURN <= 1


async def test_a_forgotten_batch_is_polled_no_more_until_it_is_added_again(
    rig: Rig, until: Until
) -> None:
    rig.polling = 'interval = "50ms"\nsettled_interval = "100ms"\nforget_after = "1h"'
    rig.show("b1", status="completed", execution_status={"completed": 7})
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.polls() > 3)

    await rig.advance(until, hours=2)

    async def forgotten() -> bool:
        return bool(await rig.value("SELECT next_poll_at IS NULL FROM batches"))

    await until(forgotten)
    await until(lambda: not rig.is_polling())
    polls = rig.polls()
    await rig.round()
    assert not rig.is_polling()
    assert rig.polls() == polls
    await rig.add("b1")
    await until(lambda: rig.polls() > polls)
    assert rig.crm.types == ["batch.first_seen", "batch.completed"]


async def test_what_is_claimed_of_a_source_that_left_meanwhile_is_given_back(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.show("b1")
    claims: list[Claim] = []

    async def leave(*args: Any, **about: Any) -> Any:
        rig.engine.poller.change(replace(rig.engine.housekeeping.parts, sources=[]))
        claimed = await claim_batches(*args, **about)
        claims.extend(claimed.claims)
        return claimed

    await rig.start()
    sources = rig.engine.sources
    monkeypatch.setattr("monitor.engine.polling.poller.claim_batches", leave)
    await rig.add("b1")

    async def free() -> bool:
        leased = "SELECT count(*) FROM batches WHERE lease_owner IS NOT NULL"
        return bool(claims) and bool(await rig.value(leased) == 0)

    await until(free)
    for source in sources:
        await source.provider.close()

    assert rig.polls() == 0


async def test_a_round_over_many_sources_beats_for_each(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow database makes a round long: that is no loop that hangs."""
    rig.show("b1")
    rig.show("v1", api=rig.vogent)
    await rig.build()
    turns: list[str] = []
    turn = rig.engine.poller.loop.beat.note

    async def note_claim(*args: Any, **about: Any) -> Any:
        turns.append("claim")
        return await claim_batches(*args, **about)

    def note_turn() -> None:
        turns.append("turn")
        turn()

    monkeypatch.setattr("monitor.engine.polling.poller.claim_batches", note_claim)
    monkeypatch.setattr(rig.engine.poller.loop.beat, "note", note_turn)
    await rig.start()
    await rig.add("b1")
    await rig.add("v1", source="vogent")

    await until(lambda: turns.count("claim") > 4)
    assert "claim claim" not in " ".join(turns)
