"""Documents as real APIs show them, through the whole daemon: what is told of them."""

import json
import re
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Until
from tests.engine.rig import Rig
from tests.providers.made_up_api import ACCESS, MadeUpApi

RECIPES = Path(__file__).parents[2] / "deploy" / "recipes"


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


@dataclass(frozen=True, kw_only=True)
class Life:
    """Documents of one batch in their order, and what is told of them by the end."""

    id: str
    documents: Sequence[object]
    told: Sequence[str]
    """The types of all events but changes of counts and status."""
    facts: Mapping[str, object]
    """What the data of the last event say."""
    recipe: str = ""
    table: str = ""
    """Instead of a recipe; its URL is that of a server, with `{origin}` before its path."""


def openai(status: str, **counts: int) -> dict[str, Any]:
    return {"id": "batch_abc123", "object": "batch", "status": status, "request_counts": counts}


def vapi(status: str, reason: str | None = None, **counters: int) -> dict[str, Any]:
    shown = dict.fromkeys(("pending", "dispatched", "completed", "failed"), 0) | counters
    return {
        "id": "5b3a7c1e-0d5a-4f0e-9a54-2b7f0c9e1d33",
        "name": "spring",
        "status": status,
        "contactCounters": shown | {"skipped": 0, "predialFailed": 0},
    } | ({} if reason is None else {"endedReason": reason})


def vapi_v1(status: str, ended: int, **more: object) -> dict[str, Any]:
    return {
        "id": "5b3a7c1e-0d5a-4f0e-9a54-2b7f0c9e1d33",
        "status": status,
        "customers": [{"number": "+10000000000"}] * 6,
        "callsCounterEnded": ended,
        **more,
    }


LIVES: Mapping[str, Life] = {
    "openai: nothing succeeded": Life(
        recipe="openai",
        id="batch_abc123",
        documents=[
            openai("validating", total=0, completed=0, failed=0),
            openai("in_progress", total=40, completed=0, failed=0),
            openai("completed", total=40, completed=0, failed=40),
        ],
        told=["batch.first_seen", "batch.failed"],
        facts={"settled_by": "counts", "outcome": "failed"},
    ),
    "openai: hours without a count": Life(
        recipe="openai",
        id="batch_abc123",
        documents=[openai("in_progress", total=40, completed=0, failed=0)],
        told=["batch.first_seen"],
        facts={"status": "in_progress"},
    ),
    "vapi: cancelled by a user": Life(
        recipe="vapi",
        id="5b3a7c1e-0d5a-4f0e-9a54-2b7f0c9e1d33",
        documents=[
            vapi("in-progress", pending=3, dispatched=1, completed=2),
            vapi("cancelled", "campaign.in-progress.ended-by-user", pending=3, completed=3),
        ],
        told=["batch.first_seen", "batch.cancelled"],
        facts={"outcome": "cancelled", "counts": {"dispatched": 0, "completed": 3, "failed": 0}},
    ),
    "vapi v1: ended by a user": Life(
        recipe="vapi-v1",
        id="5b3a7c1e-0d5a-4f0e-9a54-2b7f0c9e1d33",
        documents=[
            vapi_v1("in-progress", 1),
            vapi_v1("ended", 2, endedReason="campaign.scheduled.ended-by-user"),
        ],
        told=["batch.first_seen", "batch.cancelled"],
        facts={"outcome": "cancelled", "progress": {"finished": 2}},
    ),
    "a resource name for an id": Life(
        recipe="gemini",
        id="9876543210",
        documents=[
            {
                "name": "batches/9876543210",
                "metadata": {
                    "state": f"BATCH_STATE_{state}",
                    "batchStats": {"requestCount": "5", **stats},
                },
            }
            for state, stats in (
                ("RUNNING", {"successfulRequestCount": "1", "pendingRequestCount": "4"}),
                ("SUCCEEDED", {"successfulRequestCount": "5"}),
            )
        ],
        told=["batch.first_seen", "batch.completed"],
        facts={"settled_by": "counts", "total_contacts": 5},
    ),
    "a call without a status": Life(
        table='url = "{origin}/calls/{{id}}"\nstatus = "state"\nrunning = ["live"]\n'
        'completed = ["over"]\ncounts = "list[].state"\nfinal_calls = ["answered"]\n'
        'stall_after = "off"\n',
        id="c-1",
        documents=[
            {"state": "live", "list": [{"state": "answered"}, {"state": None}, {"to": "x"}]},
        ],
        told=["batch.first_seen"],
        facts={
            "counts": {"answered": 1, "null": 2},
            "progress": {"total": 3, "finished": 1, "open": 2},
        },
    ),
    "an array": Life(
        table='url = "{origin}/log/{{id}}?newest=1"\nstatus = "[0].entry.state"\n'
        'running = ["live"]\ncompleted = ["over"]\n',
        id="c-1",
        documents=[[{"entry": {"state": "live"}}], [{"entry": {"state": "over"}}]],
        told=["batch.first_seen", "batch.completed"],
        facts={"counts": None, "settled_by": "confirmed"},
    ),
    "unknown numbers": Life(
        table='url = "{origin}/jobs/{{id}}"\nid = "name"\nstatus = "state"\nrunning = ["LIVE"]\n'
        'completed = ["OVER"]\ncounts = "stats"\ntotal = "size"\nfinal_calls = ["good", "bad"]\n',
        id="c-1",
        documents=[
            {
                "name": "p/1/jobs/c-1",
                "state": "LIVE",
                "stats": {"good": "2", "rest": "-1"},
                "size": "-1",
            },
            {
                "name": "p/1/jobs/c-1",
                "state": "OVER",
                "stats": {"good": "5", "bad": 1},
                "size": 6.0,
            },
        ],
        told=["batch.first_seen", "batch.completed"],
        facts={"counts": {"good": 5, "bad": 1}, "total_contacts": 6, "settled_by": "counts"},
    ),
    "completed with calls that nobody placed": Life(
        table='url = "{origin}/b/{{id}}"\nstatus = "data.status"\nrunning = ["in_progress"]\n'
        'completed = ["completed"]\ntotal = "data.total"\nfinal_calls = ["completed"]\n'
        'counts = "{{sent: minus(data.sent, data.completed), completed: data.completed}}"\n'
        'rest_calls = "waiting"\n',
        id="c-1",
        documents=[
            {"data": {"status": "in_progress", "total": 50, "sent": 30, "completed": 10}},
            {"data": {"status": "completed", "total": 50, "sent": 50, "completed": 34}},
        ],
        told=["batch.first_seen", "batch.completed"],
        facts={"settled_by": "silence", "progress": {"finished": 34, "open": 16}},
    ),
}


def source(life: Life, origin: str) -> str:
    """Write the table of a life's source, as it reads from a server of ours."""
    if not life.recipe:
        return f'[sources.any]\nprovider = "generic"\n{ACCESS}rate_limit = "1000/s"\n' + (
            life.table.format(origin=origin)
        )
    text = (RECIPES / f"{life.recipe}.toml").read_text()
    text = re.sub(r"\[sources\.[a-z0-9-]+\.discover\].*", "", text, flags=re.DOTALL)
    text = re.sub(r"\[sources\.[a-z0-9-]+\]", "[sources.any]", text)
    text = re.sub(r'(?<=^url = ")https://[^/]+', origin, text, flags=re.MULTILINE)
    text = re.sub(r'_env"? = "[A-Z_]+"', lambda m: '" = "k"' if '"' in m[0][:5] else ' = "k"', text)
    text = re.sub(r"^(interval|rate_limit) = .*\n", "", text, flags=re.MULTILINE)
    return text.replace('"generic"\n', f'"generic"\n{ACCESS}rate_limit = "1000/s"\n')


def holds(found: object, expected: object) -> bool:
    """Tell whether what is found says at least what is expected."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return all(holds(found.get(key), value) for key, value in expected.items())
    return found == expected


async def test_a_list_that_the_config_describes_is_looked_through_to_its_end(
    any_rig: Rig, until: Until, api: MadeUpApi
) -> None:
    rig = any_rig
    rig.tail = (
        f'[sources.any]\nprovider = "generic"\n{ACCESS}rate_limit = "1000/s"\n'
        f'url = "{api.origin}/b/{{id}}"\nstatus = "state"\nrunning = ["live"]\n'
        'completed = ["over"]\nquery = { token = "the-key" }\n'
        f'[sources.any.discover]\nurl = "{api.origin}/list?page=0"\nitems = "@"\nid = "name"\n'
        'next = { page = "+1" }\n'
    )
    for number, name in enumerate(("b/first", "b/second", None)):
        page = json.dumps([] if name is None else [{"name": name}])
        api.put(f"/list?page={number}&token=the-key", page.encode())
    for name in ("first", "second"):
        api.put(f"/b/{name}?token=the-key", b'{"state": "live"}')

    await rig.start()
    await until(lambda: rig.crm.types == ["batch.first_seen"] * 2)

    assert {event["subject"] for event in rig.crm.events} == {"first", "second"}
    assert await rig.value("SELECT count(*) FROM batches WHERE origin = 'discovered'") == 2


@pytest.mark.parametrize("name", LIVES)
async def test_what_is_told_of_a_documented_life(
    name: str, any_rig: Rig, until: Until, api: MadeUpApi
) -> None:
    rig, life = any_rig, LIVES[name]
    rig.polling = rig.polling.replace('"1h"', '"50ms"')
    rig.tail = source(life, api.origin)
    url = tomllib.loads(rig.tail)["sources"]["any"]["url"].removeprefix(api.origin)
    target = url.replace("{id}", life.id)
    api.put(target, json.dumps(life.documents[0]).encode())
    await rig.start()
    await rig.add(life.id, source="any")
    for document in life.documents:
        api.put(target, json.dumps(document).encode())
        asked = len(api.requests)
        await until(lambda asked=asked: len(api.requests) > asked + 3)
    for _ in range(3):
        await rig.advance(until, polls_too=True, hours=3)
        asked = len(api.requests)
        await until(lambda asked=asked: len(api.requests) > asked + 3)
    await until(rig.settled)

    changes = {"batch.counts_changed", "batch.status_changed"}
    assert [kind for kind in rig.crm.types if kind not in changes] == life.told
    assert holds(rig.crm.events[-1]["data"], life.facts), rig.crm.events[-1]["data"]
