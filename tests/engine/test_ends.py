"""Ends of batches whose calls nobody closes, through the whole daemon."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import Until
from tests.engine.rig import Rig
from tests.providers.made_up_api import ACCESS, MadeUpApi


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


@pytest.mark.parametrize(
    ("before", "after", "told", "left"),
    [
        (
            {"status": "running", "calls": {"completed": 8, "queued": 40, "ringing": 2}},
            {"status": "stopped", "calls": {"completed": 10, "queued": 40}},
            ["batch.counts_changed", "batch.status_changed", "batch.cancelled"],
            40,
        ),
        (
            {"status": "processed", "calls": {"prepared": 50}},
            {"status": "failed", "calls": {"prepared": 50}},
            ["batch.status_changed", "batch.failed"],
            50,
        ),
    ],
)
async def test_a_batch_cut_short_ends_with_what_waited_left_open(
    any_rig: Rig,
    until: Until,
    before: dict[str, Any],
    after: dict[str, Any],
    told: list[str],
    left: int,
) -> None:
    rig = any_rig
    rig.show("b1", status=before["status"], execution_status=before["calls"])
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.crm.types == ["batch.first_seen"])

    rig.show("b1", status=after["status"], execution_status=after["calls"])
    await until(lambda: rig.crm.types == ["batch.first_seen", *told])

    data = rig.crm.events[-1]["data"]
    assert (data["settled_by"], data["progress"]["open"]) == ("confirmed", left)


async def test_a_call_word_that_nobody_knows_delays_the_end_and_is_named(
    any_rig: Rig, until: Until
) -> None:
    rig = any_rig
    rig.polling += '\nsettle_after = "1h"'
    rig.show("b1", status="completed", execution_status={"completed": 3, "dozing": 1})
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.polls("b1") > 3)
    assert rig.crm.types == ["batch.first_seen"]

    await rig.advance(until, polls_too=True, hours=1)
    await until(lambda: "batch.completed" in rig.crm.types)

    data = rig.crm.events[-1]["data"]
    assert (data["settled_by"], data["late"]) == ("silence", True)
    assert data["unknown_call_statuses"] == ["dozing"]


async def test_any_json_api_whose_calls_are_left_open_ends_in_silence(
    any_rig: Rig, until: Until, api: MadeUpApi
) -> None:
    def show(status: str, **calls: int) -> None:
        api.put("/campaign/7", json.dumps({"status": status, "calls": calls}).encode())

    rig = any_rig
    rig.tail = (
        f'[sources.any]\nprovider = "generic"\nurl = "{api.origin}/campaign/{{id}}"\n{ACCESS}'
        'status = "status"\nrunning = ["in-progress"]\ncompleted = ["ended"]\n'
        'cancelled = ["cancelled"]\ncounts = "calls"\nfinal_calls = ["done"]\n'
        'settle_after = "2h"\nrate_limit = "1000/s"\n'
    )
    show("in-progress", pending=3, dispatched=1, done=1)
    await rig.start()
    await rig.add("7", source="any")
    await until(lambda: rig.crm.types == ["batch.first_seen"])
    show("cancelled", pending=3, done=2)
    await until(lambda: len(rig.crm.types) == 3)
    asked = len(api.requests)
    await until(lambda: len(api.requests) > asked + 3)
    assert len(rig.crm.types) == 3

    await rig.advance(until, polls_too=True, hours=2)
    await until(lambda: rig.crm.types[3:] == ["batch.cancelled"])

    assert rig.crm.events[-1]["data"]["settled_by"] == "silence"
    show("cancelled", pending=2, done=3)
    await until(lambda: rig.crm.types[4:] == ["batch.counts_changed"])
    show("cancelled", pending=3, done=3)
    await until(lambda: rig.crm.types[5:] == ["batch.counts_changed", "batch.reopened"])


async def test_a_source_may_hold_that_nothing_stalls(any_rig: Rig, until: Until) -> None:
    rig = any_rig
    rig.bolna_more = 'stall_after = "off"'
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.polls("b1") > 1)

    await rig.advance(until, polls_too=True, hours=20)
    polls = rig.polls("b1")
    await until(lambda: rig.polls("b1") > polls + 3)

    assert rig.crm.types == ["batch.first_seen"]
