"""The whole path: a provider's answer in, a verified webhook out."""

import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.app import build_source, register
from monitor.config.load import load
from monitor.simulator.bolna import Generation, bolna_document, bolna_life
from monitor.simulator.record import ServedAnswer
from monitor.simulator.vogent import vogent_life
from tests.conftest import Until
from tests.consumer import sequences
from tests.engine.rig import Rig


@pytest.fixture
async def rig(tmp_path: Path, database_url: str) -> AsyncIterator[Rig]:
    async with Rig(tmp_path, database_url) as rig:
        yield rig


async def test_queued_executed_completed_is_told_in_order_and_signed(
    rig: Rig, until: Until
) -> None:
    rig.bolna.put("b1", bolna_document("b1", status="queued", execution_status={"ringing": 7}))
    await rig.start()
    await rig.add("b1", labels={"team": "collections"})
    await until(lambda: len(rig.crm.events) == 1)

    rig.bolna.put(
        "b1",
        bolna_document("b1", status="executed", execution_status={"completed": 5, "ringing": 2}),
    )
    await until(lambda: len(rig.crm.events) == 3)
    rig.bolna.put("b1", bolna_document("b1", status="executed", execution_status={"completed": 7}))
    await until(lambda: "batch.completed" in rig.crm.types)

    assert rig.crm.types == [
        "batch.first_seen",
        "batch.counts_changed",
        "batch.status_changed",
        "batch.counts_changed",
        "batch.completed",
    ]
    assert sequences(rig.crm.events) == [1, 2, 3, 4, 5]
    changed = rig.crm.events[2]["data"]
    assert (changed["previous_status"], changed["status"]) == ("queued", "executed")
    assert changed["counts"] == {"completed": 5, "ringing": 2}
    assert changed["batch"]["labels"] == {"team": "collections"}
    assert rig.crm.events[4]["data"]["settled"] is True
    assert len({event["id"] for event in rig.crm.events}) == 5


async def test_whole_lives_at_both_providers_arrive_whole(rig: Rig, until: Until) -> None:
    lives = {f"b{n}": bolna_life(f"b{n}", generation=Generation.OLDER, seed=n) for n in range(10)}
    jobs = {f"j{n}": vogent_life(f"j{n}", seed=n) for n in range(10)}
    for name, life in lives.items():
        rig.bolna.put(name, life)
    for name, life in jobs.items():
        rig.vogent.put(name, life)

    def advance(served: ServedAnswer) -> None:
        (lives | jobs)[served.batch].advance()

    for api in (rig.bolna, rig.vogent):  # every poll finds the next scene
        api.record.listen(advance)
    await rig.start()
    await rig.add(*lives)
    await rig.add(*jobs, source="vogent")

    await until(lambda: len([t for t in rig.crm.types if t == "batch.completed"]) == 20)
    await until(rig.settled)

    for name in lives | jobs:
        events = rig.crm.of(name)
        assert sequences(events) == list(range(1, len(events) + 1))
        assert events[0]["type"] == "batch.first_seen"
        assert events[-1]["type"] == "batch.completed"
        told = [e["data"]["status"] for e in events if e["type"] == "batch.status_changed"]
        assert all(a != b for a, b in pairwise(told))


async def test_nothing_is_told_twice_over_a_restart(rig: Rig, until: Until) -> None:
    rig.show("b1", "b2")
    await rig.start()
    await rig.add("b1", "b2")
    await until(lambda: len(rig.crm.events) == 2)
    await until(rig.settled)
    await rig.stop()
    polls = rig.polls()

    await rig.start()
    await until(lambda: rig.polls() > polls + 6)

    assert rig.crm.types == ["batch.first_seen"] * 2
    assert len(rig.crm.arrived) == 2


async def test_what_moved_while_the_daemon_was_down_is_one_change_over_the_gap(
    rig: Rig, until: Until
) -> None:
    rig.show("b1", status="queued")
    await rig.start()
    await rig.add("b1")
    await until(lambda: len(rig.crm.events) == 1)
    await rig.stop()
    rig.show("b1", status="running", execution_status={"completed": 3, "ringing": 4})

    await rig.start()
    await until(lambda: len(rig.crm.events) == 3)

    assert rig.crm.types[1:] == ["batch.counts_changed", "batch.status_changed"]
    assert rig.crm.events[1]["data"]["changes"] == {"completed": 3, "ringing": -3}


async def test_declared_batches_are_watched_and_those_that_left_the_file_are_not(
    rig: Rig, until: Until
) -> None:
    rig.show("b1", "b2")
    declared = '\n[[batches]]\nsource = "bolna"\nid = "{}"\n'
    rig.tail = declared.format("b1") + declared.format("b2")
    await rig.start()
    await until(lambda: len(rig.crm.events) == 2)
    await rig.stop()
    rig.tail = declared.format("b2")
    before = rig.polls("b1")

    await rig.start()
    polls = rig.polls("b2")
    await until(lambda: rig.polls("b2") > polls + 3)

    assert rig.polls("b1") == before


async def test_a_source_whose_connections_another_one_takes_is_built_anew(rig: Rig) -> None:
    await rig.build()
    config = load(rig.write())
    alone = replace(config, sources={"bolna": config.sources["bolna"]})
    rows, _ = await register(config, rig.database)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, before[1]))
    try:
        found = [build_source(which, rows["bolna"]) for which in (alone, config, config)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    one, two, again = (source.connection_settings for source in found)
    assert one != two == again
    for source in found:
        await source.provider.close()
    await rig.database.close()
