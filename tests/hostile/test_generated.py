import json
import time
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core.event import Event
from tests.cpu import cpu_seconds
from tests.faults.figures import sized
from tests.hostile.cases import APIS, Api
from tests.hostile.encounter import CPU_SECONDS, meet, watched

GENERATED, DAMAGED = sized(short=300, full=10_000), sized(short=200, full=4_000)
"""Examples for each API: others with each run."""
WATCHED = {api.name: watched(api) for api in APIS}

words = st.sampled_from(
    ["running", "completed", "executed", "stopped", "ACTIVE", "COMPLETE", "PAUSED", "ringing", "no"]
)
texts = st.text("aZ7.-_ \0\ud800\u202e\u00e4\U0001f642", max_size=70)
"""A small alphabet: the first use of the whole of Unicode takes seconds to set up."""
times = st.sampled_from(
    ["2024-02-29T04:22:89Z", "2026-01-29T08:00:00+14:00", "0001-01-01T00:00:00+14:00", "09:00"]
)
numbers = (
    st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["7", "7.0", "-1", "1e3", "0x1", 2**63 - 1, 2**63, 10**4000])
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | words | times,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | words, inner, max_size=4),
    max_leaves=12,
)
counts = st.dictionaries(words | texts, numbers | st.integers(0, 9), max_size=6)

FIELDS = {
    "bolna": {
        "batch_id": st.just("b1") | anything,
        "status": words | texts | anything,
        "execution_status": counts | anything,
        "total_contacts": numbers | anything,
        "valid_contacts": numbers | anything,
        "scheduled_at": times | anything,
        "file_name": texts | anything,
        "notes": anything,
    },
    "generic": {
        "id": st.just("g1") | anything,
        "state": words | texts | anything,
        "counters": counts | anything,
        "totals": st.fixed_dictionaries({"all": numbers | anything}) | anything,
        "starts": times | numbers | anything,
        "title": texts | anything,
    },
    "vogent": {
        "id": st.just("j1") | anything,
        "status": words | texts | anything,
        "name": texts | anything,
        "schedule": st.fixed_dictionaries(
            {
                "timezone": st.sampled_from(["America/New_York", "UTC", "../x", "<string>"])
                | anything,
                "days": st.lists(
                    st.fixed_dictionaries(
                        {
                            "dayOfWeek": st.integers(-1, 8) | anything,
                            "timeSlots": st.lists(
                                st.fixed_dictionaries(
                                    {"startTime": times | anything, "endTime": times | anything}
                                ),
                                max_size=3,
                            )
                            | anything,
                        }
                    ),
                    max_size=3,
                )
                | anything,
            }
        )
        | anything,
    },
}


def documents(api: Api) -> st.SearchStrategy[bytes]:
    """Replace, add or leave out fields of the healthy answer."""
    healthy = json.loads(api.baseline)
    fields = st.fixed_dictionaries({}, optional=FIELDS[api.name])

    def encode(changed: dict[str, Any], gone: set[str]) -> bytes:
        kept = {name: value for name, value in (healthy | changed).items() if name not in gone}
        return json.dumps(kept).encode()

    return st.builds(encode, fields, st.sets(st.sampled_from(sorted(healthy)), max_size=2))


def damaged(api: Api) -> st.SearchStrategy[bytes]:
    """Cut bytes out of the healthy answer and put others in."""
    healthy = api.baseline

    def splice(start: int, length: int, piece: bytes) -> bytes:
        return healthy[:start] + piece + healthy[start + length :]

    return st.builds(
        splice, st.integers(0, len(healthy)), st.integers(0, 30), st.binary(max_size=9)
    )


def no_phantom(event: Event) -> bool:
    """Tell whether an event tells a difference that its own body shows."""
    data = json.loads(event.body.decode())["data"]
    before, after = data["previous_counts"] or {}, data["counts"] or {}
    moved = {word: after.get(word, 0) - before.get(word, 0) for word in {*before, *after}}
    match event.type.value:
        case "batch.counts_changed":
            changes = {word: change for word, change in moved.items() if change}
            return bool(data["changes"] == changes)
        case "batch.status_changed":
            return bool(data["status"] != data["previous_status"])
        case "batch.status_unknown":
            return bool(data["phase"] == "unknown")
        case "batch.completed" | "batch.failed" | "batch.cancelled":
            return bool(data["phase"] == "ended" and data["settled"])
        case _:
            return False  # nothing else can come of a second reading


def check(api: Api, body: bytes) -> None:
    before = WATCHED[api.name]
    began = time.process_time()

    observation = meet(before, api, body)

    if time.process_time() - began > CPU_SECONDS:
        assert median(cpu_seconds(lambda: meet(before, api, body)) for _ in range(3)) <= CPU_SECONDS
    assert all(no_phantom(event) for event in observation.events)
    types = [event.type for event in observation.events]
    assert len(types) == len(set(types))
    refused = observation.watch.failures.polls == 1
    assert not (refused and (observation.events or observation.watch.known is not before.known))


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_no_generated_document_makes_a_crash_or_a_phantom_event(api: Api) -> None:
    @settings(max_examples=GENERATED, database=None, suppress_health_check=list(HealthCheck))
    @given(documents(api))
    def each(body: bytes) -> None:
        check(api, body)

    each()


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_no_damaged_document_makes_a_crash_or_a_phantom_event(api: Api) -> None:
    @settings(max_examples=DAMAGED, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(api))
    def each(body: bytes) -> None:
        check(api, body)

    each()
