from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.engine import housekeeping
from tests.conftest import Outage, Until
from tests.engine.conftest import Log
from tests.engine.rig import Rig


async def test_a_lane_without_a_due_head_is_repaired_and_told(
    rig: Rig, until: Until, log: Log
) -> None:
    rig.crm.status = 404
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.arrived) == 1)
    await until(lambda: "delivery.failed" in [line["event"] for line in log])

    async def waiting() -> bool:
        return bool(await rig.value("SELECT lease_owner IS NULL FROM deliveries"))

    await until(waiting)
    await rig.run("UPDATE deliveries SET due_at = NULL")
    rig.crm.status = 200
    rig.engine.housekeeping.loop.bell.ring()

    await until(lambda: len(rig.crm.events) == 1)
    (line,) = [line for line in log if line["event"] == "lane.repaired"]
    assert (line["lanes"], line["log_level"]) == (1, "error")


async def test_what_is_older_than_its_whole_schedule_is_given_up_while_held(
    rig: Rig, until: Until, log: Log
) -> None:
    rig.receiver_more = 'retry_schedule = ["1m"]'
    rig.crm.status, rig.crm.headers = 429, {"Retry-After": "3600"}
    names = [f"b{n}" for n in range(20)]
    rig.show(*names)
    await rig.start()
    await rig.add(*names)
    await until(lambda: rig.engine.receivers[0].hold is not None)
    await until(lambda: not rig.engine.receivers[0].in_flight)

    await rig.advance(until, minutes=2)
    rig.engine.housekeeping.loop.bell.ring()

    await until(rig.settled)
    expired = "delivery.expired"
    await until(lambda: sum(line["deliveries"] for line in log if line["event"] == expired) == 20)
    counted = rig.engine.metrics.registry.get_sample_value(
        "monitor_deliveries_total", {"receiver": "crm", "result": "dead"}
    )
    assert counted == 20
    assert {row[0] for row in await rig.rows("SELECT state FROM deliveries")} == {"dead"}


async def test_old_events_are_deleted_and_the_sequence_goes_on(rig: Rig, until: Until) -> None:
    rig.monitor = 'retention = "1h"'
    rig.polling += '\nstall_after = "1d"'
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.events) == 1)
    await until(rig.settled)

    await rig.advance(until, hours=2)
    rig.engine.housekeeping.loop.bell.ring()

    async def gone() -> bool:
        return bool(await rig.value("SELECT count(*) FROM events") == 0)

    await until(gone)
    rig.show("b1", execution_status={"completed": 7})
    await until(lambda: len(rig.crm.events) == 2)
    assert [e["data"]["sequence"] for e in rig.crm.events] == [1, 2]


async def test_an_instance_is_seen(any_rig: Rig, until: Until) -> None:
    await any_rig.start()

    async def seen() -> bool:
        return bool(await any_rig.value("SELECT count(*) FROM instances") == 1)

    await until(seen)


async def test_chores_wait_while_the_database_is_away(
    any_rig: Rig, until: Until, outage: Outage, log: Log
) -> None:
    await any_rig.start()

    def told() -> list[Any]:
        return [line["event"] for line in log if line.get("loop") == "housekeeping"]

    def ringing(*expected: str) -> bool:
        any_rig.engine.housekeeping.loop.bell.ring()
        return told()[-len(expected) :] == list(expected)

    async with outage():
        await until(lambda: ringing("database.failing"))
    await until(lambda: ringing("database.failing", "database.recovered"))


async def test_a_step_of_the_wall_clock_is_told_once(
    rig: Rig, until: Until, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[datetime] = []

    def follow(reference: datetime, *, trusted: bool) -> timedelta:
        steps.append(reference)
        return timedelta(hours=1)

    await rig.build()
    monkeypatch.setattr(rig.clock, "follow", follow)
    await rig.start()
    for turn in range(1, 4):
        await until(lambda n=turn: len(steps) == n)
        rig.engine.housekeeping.loop.bell.ring()

    told = [line for line in log if line["event"] == "clock.stepped"]
    assert [line["seconds"] for line in told] == [3600.0]


async def test_it_works_by_itself_when_nobody_rings(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY", 0.01)
    await rig.start()

    async def seen() -> bool:
        await rig.run("DELETE FROM instances")
        return True

    await until(seen)

    async def again() -> bool:
        return bool(await rig.value("SELECT count(*) FROM instances") == 1)

    await until(again)
