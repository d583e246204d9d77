import json

import pytest

from monitor.core.delivery import VerdictKind
from monitor.storage.sql import milliseconds
from tests.cli.conftest import Run, both
from tests.storage.store import MINUTE, NOW, Store

pytestmark = pytest.mark.usefixtures("in_force")


async def live(store: Store) -> str:
    """Leave one delivery that failed twice; return its event."""
    await store.receivers("crm")
    await store.add("x", name="a[/b].csv")
    await store.tell("x")
    for minute in (0, 1):
        at = NOW + minute * MINUTE
        await store.settle(
            *await store.take(at=at),
            kind=VerdictKind.RETRY,
            due=at + MINUTE,
            at=at,
            status_code=400,
            error="refused",
            response="no [/b] such \x1b[31mthing",
        )
    event: str = await store.value("SELECT id FROM events")
    return event


async def test_all_attempts_and_the_body_are_shown(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await live(store)
    monkeypatch.setenv("COLUMNS", "120")

    shown = (await monitor("delivery", "1")).out

    assert "delivery 1 to crm" in shown
    assert f"event       {event}" in shown
    assert "subject     batch x" in shown
    assert shown.count("no [/b] such \ufffd[31mthing") == 2
    assert shown.count("12 ms") == 2
    assert '\n  "specversion": "1.0",\n' in shown.replace("\u00a0", " ")


async def test_attempts_that_count_for_nothing_in_the_schedule_are_told_apart(
    monitor: Run, store: Store
) -> None:
    await live(store)
    (held,) = await store.take(at=NOW + 2 * MINUTE)
    await store.settle(held, kind=VerdictKind.HOLD, due=NOW, at=NOW + 2 * MINUTE)
    await store.run("UPDATE deliveries SET attempts = 2")

    shown = (await monitor("delivery", "1")).out
    later = milliseconds(NOW + MINUTE)
    await store.run("UPDATE deliveries SET attempts = 1, enqueued_at = :later", later=later)
    again = (await monitor("delivery", "1")).out

    assert "attempts    2 (and 1 that held the receiver) " in shown
    assert "attempts    1 (and 1 that held the receiver, 1 before it was owed again)" in again


@both
async def test_json_has_attempts_and_body(monitor: Run, store: Store) -> None:
    event = await live(store)

    delivery = (await monitor("delivery", event, "-o", "json")).json

    body = await store.value("SELECT body FROM events")
    assert delivery["body"] == json.loads(bytes(body))
    assert delivery["attempts"] == 2
    assert delivery["tries"][1] == {
        "at": "2026-01-29T08:32:00.000Z",
        "duration_ms": 12,
        "verdict": "retry",
        "status_code": 400,
        "error": "refused",
        "response": "no [/b] such \x1b[31mthing",
    }


async def test_a_delivery_without_an_attempt_says_so(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x")

    assert "\nno attempt yet\n" in (await monitor("delivery", "1")).out


@both
async def test_an_event_with_several_deliveries_lists_them(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x", receivers=("crm", "ops"))
    event = await store.value("SELECT id FROM events")

    ended = await monitor("delivery", event)

    assert ended.code == 1
    assert ended.err == f"{event} has 2 deliveries, say which: 1 (crm), 2 (ops)\n"


@pytest.mark.parametrize("wrong", ["7", "0", "evt_NOBODY", "9" * 40, "x\x1b[31m"])
async def test_what_is_not_there_is_named(wrong: str, monitor: Run, store: Store) -> None:
    await store.add("x")

    ended = await monitor("delivery", wrong)

    assert ended.code == 1
    assert ended.err.startswith("there is no delivery ")
    assert "\x1b" not in ended.err
