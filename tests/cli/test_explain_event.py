from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.core.delivery import VerdictKind
from monitor.core.pause import Hold
from monitor.storage.instances import touch_instance
from monitor.storage.receivers import hold_receiver
from tests.cli.conftest import Run, both
from tests.consumer import Consumer
from tests.storage.store import MINUTE, NOW, SECOND, Store, running

pytestmark = pytest.mark.usefixtures("in_force")

ROUTES = """
[[routes]]
receiver = "ops"
matchers = ['type !~ "batch\\.(first_seen|counts_changed)"', 'team = collections']
[[routes]]
receiver = "crm"
"""


@pytest.fixture
def routes(rewrite: Callable[[str], None], config: Path) -> Callable[[str], None]:
    """Put other routes in force."""
    kept = config.read_text().partition("[[routes]]")[0]
    return lambda text: rewrite(kept + text)


async def tell(store: Store, *receivers: str, times: int = 1) -> list[str]:
    """Let a batch tell events; return their ids, the oldest first."""
    await store.receivers("crm", "ops", "left")
    await store.add("x", name="Köln.csv")
    for number in range(times):
        reading = running(calls=number + 1)
        await store.tell("x", receivers=receivers, at=NOW + number * MINUTE, reading=reading)
    return [row[0] for row in await store.rows("SELECT id FROM events ORDER BY sequence")]


async def test_each_route_says_whether_it_applies_and_which_matcher_fails(
    monitor: Run, store: Store, routes: Callable[[str], None]
) -> None:
    routes(ROUTES)
    (event,) = await tell(store, "crm")

    shown = " ".join((await monitor("explain", event)).out.split())

    assert f"event {event}" in shown
    assert "about batch x of bolna" in shown
    assert (
        '1 -> ops does not apply: type !~ "batch\\.(first_seen|counts_changed)" fails, type is'
        ' "batch.first_seen"; team = "collections" fails, team is empty'
    ) in shown
    assert "2 -> crm applies: it has no matchers, everything goes this way" in shown
    assert "ops nothing owed: no route to it applies" in shown


@both
async def test_a_delivered_one_says_when_and_after_how_many_attempts(
    monitor: Run, store: Store
) -> None:
    (event,) = await tell(store, "crm", "ops")
    (first,) = await store.take()
    await store.settle(first, kind=VerdictKind.RETRY, due=NOW + SECOND, status_code=404)
    (again,) = await store.take(at=NOW + SECOND)
    await store.settle(again, at=NOW + 2 * SECOND)
    await store.settle(*await store.take("ops"))

    shown = " ".join((await monitor("explain", event)).out.split())

    assert (
        "crm delivered at 2026-01-29 08:31:02 UTC, 2.0 s after it was owed, by attempt 2"
    ) in shown
    assert "0 ms after it was owed, by the first attempt" in shown


async def test_a_pending_one_names_what_it_waits_for(monitor: Run, store: Store) -> None:
    first, second = await tell(store, "crm", times=2)
    (head,) = await store.take()
    due = datetime.now(UTC) + timedelta(hours=1)
    await store.settle(head, kind=VerdictKind.RETRY, due=due, status_code=404)

    own = " ".join((await monitor("explain", first)).out.split())
    behind = " ".join((await monitor("explain", second)).out.split())

    day = f"{due:%Y-%m-%d} " if due.date() != datetime.now(UTC).date() else ""
    assert f"crm pending: tried at {day}{due:%H:%M:%S} UTC" in own
    assert "its last attempt: 404 at 2026-01-29 08:31:00 UTC" in own
    assert f"crm pending: waits behind delivery {head.row}, batch.first_seen ({first})" in behind
    assert "its last attempt: 404 at 2026-01-29 08:31:00 UTC" in behind


async def test_a_held_one_says_since_when_until_when_and_why(monitor: Run, store: Store) -> None:
    first, second = await tell(store, "crm", times=2)
    (head,) = await store.take()
    await store.settle(head, kind=VerdictKind.HOLD, due=NOW, status_code=503)
    hold = Hold(since=NOW, until=NOW + MINUTE, step=1)
    await hold_receiver(store.database, "crm", hold)

    shown = " ".join((await monitor("explain", second)).out.split())

    assert (
        "crm pending: the whole receiver is held since 2026-01-29 08:31:00 UTC, tried again at"
        " 2026-01-29 08:32:00 UTC; it failed by 503 at 2026-01-29 08:31:00 UTC"
        f" it waits behind delivery {head.row}, batch.first_seen ({first})"
    ) in shown


@both
async def test_one_under_way_is_being_sent(monitor: Run, store: Store) -> None:
    (event,) = await tell(store, "crm")
    (claimed,) = await store.take(at=datetime.now(UTC))

    shown = (await monitor("explain", event)).out

    assert f"pending: delivery {claimed.row} is being sent right now" in shown


async def test_one_whose_daemon_ended_amid_it_is_not_being_sent(monitor: Run, store: Store) -> None:
    (event,) = await tell(store, "crm")
    (claimed,) = await store.take(at=NOW)

    shown = " ".join((await monitor("explain", event)).out.split())
    listed = (await monitor("deliveries", "-o", "wide")).out

    assert f"delivery {claimed.row} was being sent when its daemon ended; the next one" in shown
    assert "abandoned by its daemon" in " ".join(listed.split())


@pytest.mark.parametrize(
    ("kind", "about", "reason"),
    [
        (VerdictKind.DEAD, {"status_code": 410}, "refused for good, after 1 attempt; 410 at"),
        (VerdictKind.RETRY, {"error": "dns"}, "given up after 1 attempt; the last: dns at"),
        (VerdictKind.HOLD, {"status_code": 500}, "too old when the receiver failed as a whole"),
    ],
)
async def test_a_dead_one_says_why_and_how_to_send_it_again(
    kind: VerdictKind, about: dict[str, Any], reason: str, monitor: Run, store: Store
) -> None:
    (event,) = await tell(store, "crm")
    (claimed,) = await store.take()
    await store.settle(claimed, kind=kind, due=NOW, **about)
    await store.run("UPDATE deliveries SET state = 'dead', due_at = NULL")

    shown = " ".join((await monitor("explain", event)).out.split())

    assert f"dead: {reason}" in shown
    assert f"`monitor redeliver {claimed.row}` sends it again" in shown


async def test_one_that_died_untried_waited_too_long(monitor: Run, store: Store) -> None:
    (event,) = await tell(store, "crm")
    await store.run("UPDATE deliveries SET state = 'dead', due_at = NULL")

    shown = (await monitor("explain", event)).out

    assert "dead: too old; it waited for its whole schedule without a single attempt" in shown


async def test_what_was_decided_then_is_told_from_what_the_config_says_now(
    monitor: Run, store: Store, routes: Callable[[str], None]
) -> None:
    routes('[[routes]]\nreceiver = "ops"')
    (event,) = await tell(store, "crm", "left")

    shown = " ".join((await monitor("explain", event)).out.split())

    assert "today's routes would not send it here" in shown
    assert "ops nothing owed: when it happened no route led here; today's would" in shown
    assert "left pending: the config has no such receiver; it goes when it returns" in shown


async def test_without_routes_nobody_hears_of_anything(
    monitor: Run, store: Store, routes: Callable[[str], None]
) -> None:
    routes("")
    (event,) = await tell(store)

    shown = (await monitor("explain", event)).out

    assert "the config has none: nobody hears of anything; add [[routes]]" in shown
    assert "nothing owed: no route leads here" in shown


@both
async def test_json_holds_routes_fates_and_tries(
    monitor: Run, store: Store, routes: Callable[[str], None]
) -> None:
    routes(ROUTES)
    (event,) = await tell(store, "crm")
    await store.settle(*await store.take())

    found = (await monitor("explain", event, "-o", "json")).json

    assert (found["event"], found["type"], found["subject"]) == (event, "batch.first_seen", "x")
    assert [(one["number"], one["receiver"], one["applies"]) for one in found["routes"]] == [
        (1, "ops", False),
        (2, "crm", True),
    ]
    assert found["routes"][0]["matchers"][1] == {
        "matcher": 'team = "collections"',
        "value": "",
        "holds": False,
    }
    fates = {one["receiver"]: one for one in found["receivers"]}
    assert (fates["crm"]["would"], fates["ops"]["would"]) == (True, False)
    assert fates["crm"]["delivery"]["state"] == "delivered"
    assert [one["verdict"] for one in fates["crm"]["tries"]] == ["delivered"]
    assert fates["ops"]["delivery"] is None
    assert fates["ops"]["why"] == "nothing owed: no route to it applies"


async def test_a_test_goes_to_its_receiver_whatever_the_routes_say(
    monitor: Run, store: Store
) -> None:
    assert (await monitor("test", "crm")).code == 0
    event = await store.value("SELECT id FROM events")

    shown = " ".join((await monitor("explain", event)).out.split())

    assert "about receiver crm" in shown
    assert "a test goes to its receiver, whatever the routes say" in shown
    assert "ops nothing owed: it was the test of another receiver" in shown


async def test_a_test_that_failed_is_sent_by_another_test(
    monitor: Run, consumer: Consumer, store: Store
) -> None:
    consumer.status = 500
    await monitor("test", "crm")
    event = await store.value("SELECT id FROM events")

    shown = (await monitor("explain", event)).out

    assert "`monitor test crm` sends another" in shown
    assert "redeliver" not in shown


async def test_what_is_pending_without_a_daemon_says_so(monitor: Run, store: Store) -> None:
    (event,) = await tell(store, "crm")

    before = (await monitor("explain", event)).out
    await touch_instance(store.database, "one", now=datetime.now(UTC))
    after = (await monitor("explain", event)).out

    assert "\nno daemon is alive: `monitor run` starts one" in before
    assert "no daemon" not in after


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("evt_X", "there is no event 'evt_X': `monitor events` shows those that are kept"),
        ("12", "12 is no event's id, those begin with evt_; `monitor delivery 12` shows"),
    ],
)
async def test_an_id_that_is_none_says_where_to_look(
    given: str, reason: str, monitor: Run, store: Store
) -> None:
    ended = await monitor("explain", given)

    assert ended.code == 1
    assert reason in ended.err
    assert await store.rows("SELECT 1 FROM events") == []
