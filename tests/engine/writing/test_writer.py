from typing import Any

import pytest

from monitor.core.errors import StorageError
from monitor.storage.batches.record import record
from tests.conftest import Outage, Until
from tests.consumer import sequences
from tests.engine.conftest import Log
from tests.engine.rig import Rig
from tests.postgres import Postgres
from tests.simulator.faults import Fault


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.engine.groups.RETRY", 0.05)


async def test_results_wait_while_the_database_is_away_and_none_is_lost(
    any_rig: Rig, until: Until, outage: Outage, log: Log
) -> None:
    rig = any_rig
    names = [f"b{n}" for n in range(20)]
    rig.show(*names)
    await rig.start()
    await rig.add(*names)
    await until(lambda: len(rig.crm.events) == 20)
    await until(rig.settled)
    slow = Fault.slow_drip(0.003)  # the answers come while the database is away
    rig.bolna.fault(slow)
    rig.show(*names, execution_status={"completed": 7})
    await until(lambda: any(source.in_flight for source in rig.engine.sources))

    async with outage():
        begun = len(log)
        await until(lambda: bool(writing(log, "database.failing")))
        rig.bolna.lift()
        await until(lambda: not any(source.in_flight for source in rig.engine.sources))
        assert rig.engine.writer.queued
        failing = [line["loop"] for line in writing(log[begun:], "database.failing")]
        assert len(failing) == len(set(failing)), "once, however often it is tried again"
    await until(lambda: len(rig.crm.events) == 40)
    await until(rig.settled)

    for name in names:
        assert sequences(rig.crm.of(name)) == [1, 2]
    assert not [line for line in log if line["event"].endswith("crashed")]

    def all_recovered() -> bool:
        last = {line["loop"]: line["event"] for line in log if "loop" in line}
        return set(last.values()) == {"database.recovered"}

    await until(all_recovered)  # told after the commit
    for loop in {line["loop"] for line in log if "loop" in line}:
        told = [line["event"] for line in log if line.get("loop") == loop]
        assert told == ["database.failing", "database.recovered"] * (len(told) // 2)


def writing(log: Log, event: str) -> list[Any]:
    return [line for line in log if line["event"] == event]


async def test_connections_that_are_cut_again_and_again_lose_and_repeat_nothing(
    postgres: Postgres, any_rig: Rig, until: Until
) -> None:
    rig = any_rig
    names = [f"b{n}" for n in range(10)]
    rig.show(*names)
    await rig.start()
    await rig.add(*names)
    await until(lambda: len(rig.crm.events) == 10)
    for calls in range(1, 8):
        rig.show(*names, execution_status={"ringing": 7 + calls})
        if rig.database.dialect == "postgresql":
            postgres.cut(rig.url)
        polls = rig.polls()
        await until(lambda p=polls: rig.polls() > p)
    await until(lambda: all(rig.crm.of(n)[-1]["data"]["counts"] == {"ringing": 14} for n in names))

    for name in names:
        told = sequences(rig.crm.of(name))
        assert sorted(set(told)) == list(range(1, max(told) + 1))
        changes = [e["data"]["counts"] for e in rig.crm.of(name)]
        assert len({str(c) for c in changes}) == max(told)


REFUSE = """
CREATE TRIGGER refuse BEFORE UPDATE OF status ON batches WHEN NEW.status = 'poison'
BEGIN SELECT RAISE(ABORT, 'no'); END
"""
REFUSE_ALL = """
CREATE TRIGGER refuse BEFORE UPDATE OF last_poll_at ON batches WHEN NEW.external_id = 'bad'
AND NEW.last_poll_at IS NOT OLD.last_poll_at BEGIN SELECT RAISE(ABORT, 'no'); END
"""


async def test_a_result_that_the_database_refuses_is_a_failed_poll_and_spoils_no_other(
    rig: Rig, until: Until, log: Log
) -> None:
    names = [f"b{n}" for n in range(20)]
    rig.show(*names, "bad")
    await rig.build()
    await rig.run(REFUSE)
    rig.show("bad", status="poison")
    await rig.add(*names, "bad")
    await rig.start()

    await until(lambda: len(rig.crm.events) == 20)
    await until(lambda: "batch.unreachable" not in rig.crm.types and rig.polls("bad") > 3)
    rig.show("bad")
    await until(lambda: rig.crm.of("bad") != [])

    assert rig.crm.of("bad")[0]["type"] == "batch.first_seen"
    (line, *_) = writing(log, "poll.refused_by_database")
    assert (line["source"], line["batch"]) == ("bolna", "bad")
    assert "poison" not in str(line)


async def test_a_result_that_is_refused_even_as_a_failure_is_dropped_and_stops_nobody(
    rig: Rig, until: Until, log: Log
) -> None:
    names = [f"b{n}" for n in range(20)]
    rig.show(*names, "bad")
    await rig.build()
    await rig.run(REFUSE_ALL)
    await rig.add(*names, "bad")
    await rig.start()

    await until(lambda: len(rig.crm.events) == 20)
    polls = rig.polls("b1")
    await until(lambda: rig.polls("b1") > polls + 3)

    assert rig.crm.of("bad") == []
    assert "loop.crashed" not in [line["event"] for line in log]


async def test_an_outage_amid_a_refused_group_loses_nothing(
    rig: Rig, until: Until, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    async def fail_now_and_then(*args: Any, **about: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            raise StorageError("the database is away")
        return await record(*args, **about)

    monkeypatch.setattr("monitor.engine.writing.writer.record", fail_now_and_then)
    monkeypatch.setattr("monitor.engine.groups.RETRY", 0.001)
    names = [f"b{n}" for n in range(10)]
    rig.show(*names)
    rig.show("bad", status="poison")
    await rig.build()
    await rig.run(REFUSE)
    await rig.add(*names, "bad")
    await rig.start()

    await until(lambda: len({e["subject"] for e in rig.crm.events}) == 10)
    await until(rig.settled)

    assert len(rig.crm.events) == 10
    assert "loop.crashed" not in [line["event"] for line in log]


async def test_two_daemons_on_one_database_tell_a_failing_account_once(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    until: Until,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"b{n}" for n in range(30)]
    async with (
        Rig(tmp_path_factory.mktemp("one"), postgres_url) as one,
        Rig(tmp_path_factory.mktemp("two"), postgres_url) as two,
    ):
        two.bolna, two.consumers = one.bolna, one.consumers
        monkeypatch.setenv("MONITOR_INSTANCE", "one")
        await one.start()
        monkeypatch.setenv("MONITOR_INSTANCE", "two")
        await two.start()
        one.show(*names)
        await one.add(*names)
        await until(lambda: len(one.crm.events) == 30)
        await until(one.settled)

        one.bolna.fault(Fault.unauthorized())
        await until(lambda: "source.failing" in one.crm.types)
        for rig in (one, two):
            await until(lambda r=rig: not r.engine.sources[0].in_flight)
        one.bolna.lift()
        for rig in (one, two):
            await rig.advance(until, seconds=61)
        await until(lambda: "source.recovered" in one.crm.types)
        polls = one.polls()
        await until(lambda: one.polls() > polls + 60)
        await until(one.settled)
        two.consumers = {}

    assert one.crm.types == ["batch.first_seen"] * 30 + ["source.failing", "source.recovered"]
    owners = {line["instance"] for line in writing(log, "daemon.started")}
    assert owners == {"one", "two"}


async def test_a_change_waits_for_no_company(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.engine.writing.writer.COMPANY", 3600.0)
    rig.clock.hold()
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.events) == 1)

    rig.show("b1", execution_status={"completed": 7})
    await rig.advance(until, polls_too=True, seconds=1)

    await until(lambda: len(rig.crm.events) == 2)
