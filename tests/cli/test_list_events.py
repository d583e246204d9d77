import json
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.batch import Phase, Reading
from monitor.core.delivery import VerdictKind
from tests.cli.conftest import Run, both
from tests.storage.store import MINUTE, NOW, Store, running

pytestmark = pytest.mark.usefixtures("in_force")


@both
async def test_json_is_every_document_exactly_as_sent_the_newest_first(
    monitor: Run, store: Store
) -> None:
    await store.add("x", name="Köln 東京.csv", labels={"team": "collections"})
    await store.tell("x", at=NOW)
    await store.tell("x", at=NOW + MINUTE)

    printed = (await monitor("events", "-o", "json")).out

    bodies = await store.rows("SELECT body FROM events ORDER BY sequence DESC")
    assert printed == "[\n" + ",\n".join(bytes(row[0]).decode() for row in bodies) + "\n]\n"
    assert [event["data"]["sequence"] for event in json.loads(printed)] == [2, 1]


async def test_a_table_says_what_happened_in_a_few_words(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x", reading=running(calls=3, valid_contacts=4))
    again = running(counts={"completed": 1, "ringing": 2}, open_calls=2, valid_contacts=4)
    await store.tell("x", reading=again, at=NOW + MINUTE)
    paused = Reading(status="PAUSED\x07", phase=Phase.PAUSED)
    await store.tell("x", reading=paused, at=NOW + 2 * MINUTE)

    shown = (await monitor("events", "-o", "wide")).out
    narrow = (await monitor("events")).out

    at = [
        shown.index(text) for text in ("running -> PAUSED\ufffd", "25%: ringing -1, completed +1")
    ]
    assert at == sorted(at)
    assert "batch.first_seen" in shown
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert "evt_" in narrow.splitlines()[2]


async def test_on_a_wide_terminal_an_event_is_one_line(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, as far as rich knows
    monkeypatch.setenv("COLUMNS", "170")
    await store.add("3c90c3cc0d444b5088888dd25736052a", name="customers.csv")
    await store.tell("3c90c3cc0d444b5088888dd25736052a")
    counts = {f"status-{number}": number for number in range(9)}
    many = running(counts=counts, open_calls=9)
    await store.tell("3c90c3cc0d444b5088888dd25736052a", reading=many, at=NOW + MINUTE)

    _, _, *lines = (await monitor("events")).out.splitlines()

    assert [line.count("evt_") for line in lines] == [1, 1]
    assert "…" in lines[0]


@pytest.mark.parametrize(
    ("matchers", "types"),
    [
        (["type = batch.first_seen"], ["batch.first_seen"]),
        (['type =~ "batch\\..+_changed"', "team = collections"], ["batch.counts_changed"]),
        (["batch = other"], []),
        (['team = ""'], []),
    ],
)
@both
async def test_matchers_choose_events(
    matchers: list[str], types: list[str], monitor: Run, store: Store
) -> None:
    await store.add("x", labels={"team": "collections"})
    await store.tell("x", at=NOW)
    await store.tell("x", at=NOW + MINUTE)

    found = (await monitor("events", *matchers, "-o", "json")).json

    assert [event["type"] for event in found] == types


@both
async def test_since_is_a_time_ago(monitor: Run, store: Store) -> None:
    now = datetime.now(UTC)
    await store.add("x")
    await store.tell("x", at=now - timedelta(hours=2))
    await store.tell("x", at=now - timedelta(minutes=5))

    found = (await monitor("events", "--since", "1h", "-o", "json")).json

    assert [event["data"]["sequence"] for event in found] == [2]


@both
async def test_more_than_a_page_of_one_moment_comes_once_each(monitor: Run, store: Store) -> None:
    ids = [f"x{number}" for number in range(1200)]
    await store.add(*ids)
    await store.tell(*ids)

    found = (await monitor("events", "-o", "json")).json
    some = (await monitor("events", "-o", "json", "--limit", "5")).json
    table = (await monitor("events")).out

    assert len({event["id"] for event in found}) == len(found) == 1200
    assert len(some) == 5
    assert table.count("batch.first_seen") == 100
    assert "the newest 100; --limit N shows more" in table


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [([], "no events yet: `monitor add"), (["--since", "1h"], "`monitor events` shows all")],
)
async def test_an_empty_log_says_what_to_do_next(
    arguments: list[str], hint: str, monitor: Run, store: Store
) -> None:
    assert hint in (await monitor("events", *arguments)).out
    assert (await monitor("events", *arguments, "-o", "json")).json == []
    assert await store.rows("SELECT 1 FROM events") == []


async def test_events_of_a_receiver_are_listed_too(monitor: Run, store: Store) -> None:
    await store.receivers("crm")

    assert (await monitor("test", "crm")).code == 0
    shown = (await monitor("events")).out

    assert "monitor.test" in shown
    assert VerdictKind.DELIVERED not in shown
