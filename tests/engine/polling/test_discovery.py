import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.engine.polling import discovery, discovery_round
from monitor.providers.vogent_list import VogentFinder
from monitor.simulator.bolna import bolna_document
from monitor.simulator.vogent import vogent_document
from monitor.storage.batches.claim import draw_extra
from monitor.storage.batches.register import unregister_batches
from tests.conftest import Until
from tests.engine.conftest import Log
from tests.engine.rig import Rig
from tests.simulator.faults import Fault

FRESH = datetime.now(UTC).isoformat()
LIST = ""
"""What the simulator calls Vogent's list of jobs."""


@pytest.fixture
def vogent(rig: Rig) -> Rig:
    """Let the Vogent account discover its jobs; nothing else is registered."""
    return discovering(rig)


def discovering(rig: Rig, *, every: str = "10s", more: str = "") -> Rig:
    rig.vogent_more = f'counts = "off"\ndiscover = {{ every = "{every}"{more} }}'
    return rig


def show_jobs(rig: Rig, *ids: str, status: str = "ACTIVE", created_at: str = FRESH) -> None:
    for id_ in ids:
        rig.vogent.put(id_, vogent_document(id_, status=status, createdAt=created_at))


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each time that a round which waits looks whether it may go on, and let it look often."""
    found: list[str] = []
    losable = discovery._Plan.losable

    def look(plan: discovery._Plan) -> AbstractContextManager[None]:
        found.append(plan.source.name)
        return losable(plan)

    monkeypatch.setattr(discovery, "LOOK", 0.01)
    monkeypatch.setattr(discovery._Plan, "losable", look)
    return found


async def look_twice(looked: list[str], until: Until) -> None:
    """Return once a round that waits has looked twice, and waits on."""
    so_far = len(looked)
    await until(lambda: len(looked) >= so_far + 3)


def lines(log: Log, name: str) -> list[Any]:
    return [line for line in log if line["event"] == name]


async def origins(rig: Rig) -> dict[str, str]:
    rows = await rig.rows("SELECT external_id, origin FROM batches WHERE watched")
    return {row[0]: row[1] for row in rows}


async def test_what_is_found_is_watched_at_once_and_told_in_one_line(
    any_rig: Rig, until: Until, log: Log
) -> None:
    rig = discovering(any_rig)
    show_jobs(rig, "j1", "j2")
    show_jobs(rig, "old", created_at="2020-01-01T00:00:00Z")

    await rig.start()
    await until(lambda: rig.polls("j1") > 0 and rig.polls("j2") > 0)
    await until(lambda: len(rig.crm.events) == 2)

    assert await origins(rig) == {"j1": "discovered", "j2": "discovered"}
    assert set(rig.crm.types) == {"batch.first_seen"}
    await until(lambda: bool(lines(log, "discovery.found")))  # told at the end of the round
    (line,) = lines(log, "discovery.found")
    assert (line["source"], line["new"], line["seen"], line["skipped"]) == ("vogent", 2, 0, 1)


async def test_a_round_that_finds_nothing_new_says_nothing_and_touches_nothing(
    vogent: Rig, until: Until, log: Log
) -> None:
    show_jobs(vogent, "j1")
    await vogent.start()
    await until(lambda: vogent.polls("j1") > 0)

    show_jobs(vogent, "j2")
    vogent.clock.advance(seconds=12)
    await until(lambda: vogent.polls("j2") > 0)
    vogent.clock.advance(seconds=12)
    await until(lambda: vogent.polls(LIST) == 3)
    rounds = vogent.engine.metrics.discovery_rounds.labels("vogent", "ok")
    await until(lambda: rounds._value.get() == 3)

    assert [line["new"] for line in lines(log, "discovery.found")] == [1, 1]


async def test_a_first_round_that_finds_nothing_wanted_says_so(
    vogent: Rig, until: Until, log: Log
) -> None:
    show_jobs(vogent, "old", "older", created_at="2020-01-01T00:00:00Z")

    await vogent.start()
    await until(lambda: len(lines(log, "discovery.found")) == 1)

    (line,) = lines(log, "discovery.found")
    assert (line["source"], line["new"], line["seen"], line["skipped"]) == ("vogent", 0, 0, 2)


async def test_of_too_many_batches_some_are_watched_and_the_round_fails(
    vogent: Rig, until: Until, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery_round, "FOUND_LIMIT", 101)
    show_jobs(vogent, *(f"j{n}" for n in range(250)))  # three pages

    await vogent.start()
    await until(lambda: bool(lines(log, "discovery.found")))

    assert len(await origins(vogent)) == 101
    assert vogent.polls(LIST) == 2
    (line,) = lines(log, "discovery.failed")
    assert (line["kind"], line["reason"]) == ("too_large", "more than 101 batches")
    rounds = vogent.engine.metrics.discovery_rounds
    assert rounds.labels("vogent", "too_large")._value.get() == 1
    assert rounds.labels("vogent", "ok")._value.get() == 0


async def test_a_list_whose_entries_lack_what_is_looked_for_is_warned_of(
    vogent: Rig, until: Until, log: Log
) -> None:
    body = b'{"data": [{"identity": "j1", "createdAt": "soon"}], "cursor": null}'
    vogent.vogent.fault(Fault.body(body), batch=LIST)

    await vogent.start()
    await until(lambda: bool(lines(log, "discovery.found")))

    assert [line["key"] for line in lines(log, "discovery.unread")] == ["created_at", "id"]


async def test_what_was_removed_stays_removed_and_what_vanishes_stays(
    vogent: Rig, until: Until
) -> None:
    show_jobs(vogent, "j1", "j2")
    await vogent.build()
    await vogent.start()
    await until(lambda: vogent.polls("j2") > 0)

    await unregister_batches(vogent.database, "vogent", ["j1"])
    vogent.vogent.remove("j2")
    vogent.clock.advance(seconds=12)
    await until(lambda: vogent.polls(LIST) == 2)

    await until(
        lambda: vogent.engine.metrics.discovery_rounds.labels("vogent", "ok")._value.get() == 2
    )
    assert await origins(vogent) == {"j2": "discovered"}


async def test_what_somebody_registered_keeps_its_origin_and_labels(
    vogent: Rig, until: Until
) -> None:
    show_jobs(vogent, "j1", "j2")
    await vogent.build()
    await vogent.add("j1", source="vogent", labels={"team": "red"})
    await vogent.start()
    await until(lambda: vogent.polls("j2") > 0)

    await vogent.add("j2", source="vogent", labels={"team": "blue"})

    assert await origins(vogent) == {"j1": "added", "j2": "discovered"}
    rows = await vogent.rows("SELECT labels FROM batches ORDER BY external_id")
    assert [row[0] for row in rows] == ['{"team": "red"}', '{"team": "blue"}']


async def test_a_batch_that_had_ended_when_it_was_found_tells_no_end(
    vogent: Rig, until: Until
) -> None:
    show_jobs(vogent, "j1", status="COMPLETE")
    await vogent.start()

    async def settled() -> bool:
        return bool(await vogent.rows("SELECT 1 FROM batches WHERE settled_at IS NOT NULL"))

    await until(settled)
    await until(vogent.settled)
    assert vogent.crm.types == ["batch.first_seen"]


async def test_pages_count_against_the_budget_and_wait_for_its_debt(
    vogent: Rig, until: Until, looked: list[str]
) -> None:
    vogent.rate = "12/min"  # five seconds' worth is one request
    show_jobs(vogent, *(f"j{n}" for n in range(250)))  # three pages

    vogent.clock.hold()
    await vogent.start()
    await until(lambda: vogent.polls(LIST) == 2)  # the second goes into debt
    await look_twice(looked, until)

    assert vogent.polls() == 2
    source = vogent.engine.sources[1]
    assert source.budget_used(vogent.clock.now()) == pytest.approx(2 / 12)
    vogent.clock.advance(seconds=6)
    await until(lambda: vogent.polls(LIST) == 3)


async def test_a_refused_key_is_heard_of_though_nothing_was_ever_registered(
    any_rig: Rig, until: Until, log: Log, looked: list[str]
) -> None:
    rig = discovering(any_rig)
    show_jobs(rig, "j1")
    rig.vogent.key = "another key"
    rig.clock.hold()
    await rig.start()
    await until(lambda: rig.crm.types == ["source.failing"])
    await until(lambda: len(lines(log, "source.failing")) == 1)

    rig.clock.advance(seconds=30)
    await look_twice(looked, until)
    asked = rig.polls()
    rig.vogent.key = "the key"
    rig.clock.advance(seconds=31)
    await until(lambda: "source.recovered" in rig.crm.types)

    await until(lambda: rig.polls("j1") > 0)
    assert asked == 1
    await until(lambda: bool(lines(log, "discovery.recovered")))
    assert [len(lines(log, f"discovery.{word}")) for word in ("failed", "recovered")] == [1, 1]
    (line,) = lines(log, "discovery.failed")
    assert (line["source"], line["kind"], line["status_code"]) == ("vogent", "unauthorized", 401)


async def test_a_failing_account_with_batches_is_left_to_its_probes(
    vogent: Rig, until: Until
) -> None:
    show_jobs(vogent, "j1")
    await vogent.start()
    await until(lambda: len(vogent.crm.events) == 1)
    vogent.vogent.key = "another key"
    await until(lambda: "source.failing" in vogent.crm.types)
    looked = vogent.polls(LIST)

    for _ in range(2):
        polls = vogent.polls("j1")
        await vogent.advance(until, polls_too=True, seconds=61)
        await until(lambda: vogent.polls("j1") > polls)  # noqa: B023

    assert vogent.polls(LIST) == looked
    vogent.vogent.key = "the key"
    await vogent.advance(until, polls_too=True, seconds=61)
    await until(lambda: vogent.polls(LIST) > looked)


async def test_a_429_to_the_list_pauses_the_whole_account(
    vogent: Rig, until: Until, looked: list[str]
) -> None:
    show_jobs(vogent, "j1")
    vogent.clock.hold()
    vogent.vogent.fault(Fault.rate_limited(600), batch=LIST, times=1)
    await vogent.start()
    await until(lambda: vogent.engine.sources[1].blocked_until is not None)

    vogent.clock.advance(minutes=9)
    await look_twice(looked, until)
    await vogent.round()
    assert vogent.polls() == 1
    vogent.clock.advance(minutes=2)

    await until(lambda: vogent.polls("j1") > 0)
    assert vogent.engine.sources[1].blocked_until is None


async def test_a_list_that_breaks_down_moves_no_account_whose_batches_answer(
    vogent: Rig, until: Until, log: Log
) -> None:
    show_jobs(vogent, "j1")
    vogent.vogent.fault(Fault.server_error(), batch=LIST)
    await vogent.build()
    await vogent.add("j1", source="vogent")
    await vogent.start()

    for round_ in range(1, 8):
        await until(lambda: vogent.polls(LIST) == round_)  # noqa: B023
        polls = vogent.polls("j1")
        await until(lambda: vogent.polls("j1") > polls)  # noqa: B023
        await vogent.advance(until, polls_too=True, seconds=31)

    await until(lambda: len(vogent.crm.events) > 0)
    assert vogent.crm.types == ["batch.first_seen"]
    assert len(lines(log, "discovery.failed")) == 1


async def test_the_agents_of_an_account_are_asked_for_their_batches(
    rig: Rig, until: Until, log: Log
) -> None:
    rig.bolna_more = 'discover = "all"'
    for id_ in ("b1", "b2"):
        rig.bolna.put(id_, bolna_document(id_, status="running", created_at=FRESH))
    rig.bolna.agents = {"a1": ["b1"], "a2": ["b2"]}

    await rig.start()
    await until(lambda: rig.polls("b1") > 0 and rig.polls("b2") > 0)

    assert await origins(rig) == {"b1": "discovered", "b2": "discovered"}
    await until(lambda: [line["new"] for line in lines(log, "discovery.found")] == [2])


async def test_each_agent_that_is_gone_is_named_once(rig: Rig, until: Until, log: Log) -> None:
    rig.bolna_more = 'discover = { agents = ["a1", "a2", "a3"], every = "10s" }'
    rig.bolna.agents = {"a2": [], "a3": []}
    await rig.start()
    await until(lambda: len(lines(log, "discovery.failed")) == 1)

    del rig.bolna.agents["a3"]
    rig.clock.advance(seconds=12)
    await until(lambda: len(lines(log, "discovery.failed")) == 2)
    rig.bolna.agents["a1"] = []
    rig.clock.advance(seconds=12)
    await until(lambda: len(lines(log, "discovery.recovered")) == 1)

    failed = [(line["agent"], line["kind"]) for line in lines(log, "discovery.failed")]
    assert failed == [("a1", "not_found"), ("a3", "not_found")]
    assert [line["agent"] for line in lines(log, "discovery.recovered")] == ["a1"]


async def test_a_reload_begins_anew_where_discovery_changed_and_ends_it_where_it_left(
    vogent: Rig, until: Until
) -> None:
    show_jobs(vogent, "j1")
    show_jobs(vogent, "old", created_at="2020-01-01T00:00:00Z")
    await vogent.start()
    await until(lambda: vogent.polls("j1") > 0)

    discovering(vogent, more=', max_age = "36500d"').write()
    vogent.reload_bell.ring()
    await until(lambda: vogent.polls("old") > 0)
    vogent.vogent_more = ""
    vogent.write()
    vogent.reload_bell.ring()
    await until(lambda: vogent.engine.sources[1].provider.finder is None)
    looked = vogent.polls(LIST)
    vogent.clock.advance(minutes=10)
    await until(lambda: vogent.polls("j1") > 0)
    await vogent.round()

    assert vogent.polls(LIST) == looked == 2


async def test_a_round_under_way_holds_no_reload_and_no_end_up(vogent: Rig, until: Until) -> None:
    vogent.vogent.fault(Fault.black_hole(3600), batch=LIST)
    vogent.polling = 'interval = "50ms"\ndeadline = "10m"'
    await vogent.start()
    await until(lambda: vogent.polls(LIST) == 1)

    discovering(vogent, every="20s").write()
    vogent.reload_bell.ring()
    await until(lambda: vogent.polls(LIST) == 2)

    left = {*vogent.engine.discovery.close(), vogent.engine._tasks["discovery"]}
    await until(lambda: all(task.done() for task in left))


async def test_what_had_ended_before_the_first_whole_round_is_old_news_and_later_finds_are_not(
    any_rig: Rig, until: Until
) -> None:
    rig = discovering(any_rig)
    show_jobs(rig, "old", status="COMPLETE")
    await rig.start()
    await until(lambda: rig.polls("old") > 1)
    show_jobs(rig, "new", status="COMPLETE")
    rig.clock.advance(seconds=12)

    await until(lambda: "batch.completed" in rig.crm.types)
    await until(rig.settled)

    assert [event["type"] for event in rig.crm.of("old")] == ["batch.first_seen"]
    assert [event["type"] for event in rig.crm.of("new")] == ["batch.first_seen", "batch.completed"]
    assert rig.crm.of("new")[-1]["data"]["late"] is True


async def test_a_first_round_that_was_cut_off_is_not_the_whole(
    vogent: Rig, until: Until, log: Log
) -> None:
    show_jobs(vogent, "old", status="COMPLETE")
    vogent.vogent.fault(Fault.server_error(), batch=LIST)
    await vogent.start()
    await until(lambda: lines(log, "discovery.failed") != [])
    vogent.vogent.lift()

    vogent.clock.advance(seconds=61)
    await until(lambda: vogent.polls("old") > 1)
    await until(lambda: len(vogent.crm.of("old")) > 0)
    await until(vogent.settled)

    assert [event["type"] for event in vogent.crm.of("old")] == ["batch.first_seen"]


async def test_an_outage_of_the_database_is_told_and_outlived(
    any_rig: Rig,
    until: Until,
    outage: Callable[[], AbstractAsyncContextManager[None]],
) -> None:
    rig = discovering(any_rig)
    show_jobs(rig, "j1")
    await rig.start()
    await until(lambda: rig.polls("j1") > 0)
    discovery = rig.engine.discovery
    plan = discovery._plans["vogent"]
    await until(lambda: plan.round is None)  # it has not seen what comes
    show_jobs(rig, "j2")

    async with outage():
        rig.clock.advance(seconds=12)
        await until(lambda: discovery.loop.outage.reason is not None and plan.round is None)
    rig.clock.advance(seconds=6)

    await until(lambda: rig.polls("j2") > 0)
    assert discovery.loop.outage.reason is None


async def test_a_mistake_of_ours_ends_one_round_and_not_the_loop(
    vogent: Rig, until: Until, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: VogentFinder, **_: Any) -> None:
        raise ZeroDivisionError("the provider said +19876543007")

    with monkeypatch.context() as patched:
        patched.setattr(VogentFinder, "find", crash)
        await vogent.start()
        await until(lambda: len(lines(log, "discovery.crashed")) == 1)
    show_jobs(vogent, "j1")
    vogent.clock.advance(seconds=12)

    await until(lambda: vogent.polls("j1") > 0)
    assert "9876543007" not in str(log)


async def test_a_round_of_an_account_that_left_ends_wherever_it_was(
    rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    discovering(rig)
    show_jobs(rig, "j1")
    await rig.start()
    await until(lambda: rig.polls("j1") > 0)
    plan = rig.engine.discovery._plans["vogent"]
    await until(lambda: plan.round is None)
    asked, go = asyncio.Event(), asyncio.Event()

    async def draw_late(*given: Any, **more: Any) -> Any:
        asked.set()
        await go.wait()
        return await draw_extra(*given, **more)

    monkeypatch.setattr(discovery, "draw_extra", draw_late)
    plan.due_at = rig.clock.now()
    rig.engine.discovery.loop.bell.ring()
    await asked.wait()
    lookup = plan.round
    assert lookup is not None
    plan.source.blocked_until = rig.clock.now() + timedelta(seconds=1)  # by a 429
    rest = [source for source in rig.engine.sources if source is not plan.source]
    parts = replace(rig.engine.housekeeping.parts, sources=rest)
    rig.engine.poller.change(parts)
    ended = rig.engine.discovery.change(parts)
    go.set()
    await until(lookup.done)

    assert ended == {lookup}
    await plan.source.provider.close()
