from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.delivery import VerdictKind
from monitor.core.pause import Hold
from monitor.storage.instances import touch_instance
from monitor.storage.receivers import hold_receiver
from tests.cli.conftest import Run, both, fail_source
from tests.storage.store import MINUTE, NOW, Store

pytestmark = pytest.mark.usefixtures("in_force")


async def test_an_empty_monitor_says_so(monitor: Run, store: Store) -> None:
    assert (await monitor("status")).out.rstrip() == (
        "daemons     none alive: `monitor run` starts one\n"
        "batches     0 watched                           \n"
        "trouble     none                                \n"
        "sources     2, none failing or paused           \n"
        "receivers   2, none held                        \n"
        "deliveries  none pending"
    )


async def live(store: Store) -> None:
    """Let something be wrong everywhere, with one daemon alive and one not."""
    now = datetime.now(UTC)
    await touch_instance(store.database, "one", now=now)
    await touch_instance(store.database, "two", now=now - 60 * MINUTE)
    await store.receivers("crm", "ops")
    await store.add("x", "y")
    await store.tell("x", receivers=("crm", "ops", "left"), at=now - 5 * MINUTE)
    await store.settle(*await store.take("ops", at=now), kind=VerdictKind.DEAD, at=now)
    await store.add("z", source="left")
    await hold_receiver(store.database, "crm", Hold(since=NOW, until=NOW + MINUTE, step=1))
    await fail_source(store, blocked_until=NOW + MINUTE)


@both
async def test_what_is_wrong_is_told_in_ten_lines(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(store)
    monkeypatch.setenv("COLUMNS", "120")

    ended = await monitor("status")

    shown = " ".join(ended.out.split())
    assert ended.code == 0
    assert len(ended.out.splitlines()) <= 10
    for said in (
        "daemons 1 alive: one",
        "batches 3 watched: 1 running, 2 not read",
        "trouble 1 no source",
        "sources 2, 1 failing or paused bolna is failing since 2026-01-29 08:31:00 UTC: 401, the",
        "receivers 2, 1 held crm is held since 2026-01-29 08:31:00 UTC, tried again at 2026-01-29",
        "deliveries 2 pending (1 to crm, 1 to left), the oldest for 5 min",
        "1 dead (1 to ops), the oldest for 5 min",
    ):
        assert said in shown
    assert all(len(line) <= 120 for line in ended.out.splitlines())


@both
async def test_json_has_numbers_and_times(monitor: Run, store: Store) -> None:
    await live(store)

    found = (await monitor("status", "-o", "json")).json

    assert [(one["name"], one["alive"]) for one in found["daemons"]] == [
        ("one", True),
        ("two", False),
    ]
    assert found["batches"] == {
        "watched": 3,
        "phases": {"running": 1, "not_read": 2},
        "troubles": {"no source": 1},
    }
    bolna, vogent = found["sources"]
    assert (bolna["failing_since"], bolna["due"]) == ("2026-01-29T08:31:00.000Z", 2)
    assert vogent == {
        "name": "vogent",
        "provider": "vogent",
        "failing_since": None,
        "paused_until": None,
        "due": 0,
    }
    crm, ops, left = found["receivers"]
    assert (crm["held_until"], crm["pending"]) == ("2026-01-29T08:32:00.000Z", 1)
    assert (ops["dead"], ops["oldest_pending_at"]) == (1, None)
    assert (left["configured"], left["pending"]) == (False, 1)


async def test_polls_that_come_late_are_told(monitor: Run, store: Store) -> None:
    await touch_instance(store.database, "one", now=datetime.now(UTC))
    await store.add(*(f"x{number}" for number in range(400)))

    shown = " ".join((await monitor("status")).out.split())
    await touch_instance(store.database, "one", now=NOW - timedelta(days=1))
    gone = (await monitor("status")).out

    assert (
        "polls bolna: polls are late, 400 are due, for which its rate_limit of 1,000/min" in shown
    )
    assert "polls are late" not in gone
    assert "none alive, the last was seen at 2026-01-28 08:31:00 UTC" in gone


@pytest.fixture
def many(in_force: Path) -> list[str]:
    """Let there be many receivers in the config."""
    names = [f"r{number}" for number in range(5)]
    tables = (
        f"""
[receivers.{name}]
kind = "slack"
webhook_url_env = "NOT_SET"
"""
        for name in names
    )
    in_force.write_text(in_force.read_text() + "".join(tables))
    return names


async def test_of_many_that_are_held_two_are_named(
    monitor: Run, store: Store, many: list[str]
) -> None:
    await store.receivers(*many)
    for name in many:
        await hold_receiver(store.database, name, Hold(since=NOW, until=NOW + MINUTE, step=1))

    shown = (await monitor("status")).out

    assert "receivers   7, 5 held" in shown
    assert ("r1 is held" in shown, "r2 is held" in shown) == (True, False)
    assert "and 3 more" in shown
