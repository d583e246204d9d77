from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.core.discovery import DiscoveryAnswer
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.engine.ports import Provider
from monitor.providers import bolna_list
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.simulator.faults import Fault

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)
KEY = "the key"
Reader = Callable[..., AbstractAsyncContextManager[Provider]]


async def found(
    bolna: SimulatedBolna, reader: Reader, discover: Any
) -> tuple[list[DiscoveryAnswer], PollError | None]:
    """Find until the end, or the failure."""
    brought: list[DiscoveryAnswer] = []
    async with reader(bolna, api_key=KEY, discover=discover) as provider:
        assert provider.finder is not None
        try:
            async for one in provider.finder.find(now=NOW):
                brought.append(one)  # noqa: PERF401 (what came before a failure counts)
        except PollError as error:
            return brought, error
    return brought, None


@pytest.fixture
def agents(bolna: SimulatedBolna) -> SimulatedBolna:
    """Give three agents a batch each."""
    for n in range(1, 4):
        bolna.put(f"b{n}", bolna_document(f"b{n}", created_at="2026-01-29T08:00:00Z"))
        bolna.agents[f"a{n}"] = [f"b{n}"]
    return bolna


async def test_only_the_named_agents_are_asked(agents: SimulatedBolna, reader: Reader) -> None:
    brought, failure = await found(agents, reader, {"agents": ["a1", "a3"]})

    assert ([(one.ids, one.agent) for one in brought], failure) == (
        [(("b1",), "a1"), (("b3",), "a3")],
        None,
    )
    assert [served.batch for served in agents.served] == ["a1/all", "a3/all"]
    assert agents.violations == []


async def test_all_asks_for_the_agents_first(agents: SimulatedBolna, reader: Reader) -> None:
    brought, failure = await found(agents, reader, "all")

    assert [one.ids for one in brought] == [(), ("b1",), ("b2",), ("b3",)]
    assert failure is None
    assert agents.served[0].batch == "v2/agent/all"


async def test_agents_are_known_by_either_name_and_odd_ones_skipped(
    agents: SimulatedBolna, reader: Reader
) -> None:
    odd = b'{"id": 7}, {}, null, {"id": ""}, {"id": "\\u001b[2J"}'
    body = b'[{"agent_id": "a1"}, {"id": "a2"}, %s, {"id": "a2"}]' % odd
    agents.fault(Fault.body(body), batch="v2/agent/all")

    brought, failure = await found(agents, reader, "all")

    assert ([one.ids for one in brought], failure) == ([(), ("b1",), ("b2",)], None)


async def test_of_too_many_agents_some_are_asked_and_that_is_told(
    agents: SimulatedBolna, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bolna_list, "AGENTS_LIMIT", 2)

    brought, failure = await found(agents, reader, "all")
    named, _ = await found(agents, reader, {"agents": ["a1", "a2", "a3"]})

    assert [one.ids for one in brought] == [(), ("b1",), ("b2",), ()]
    assert [str(one.failure) for one in brought if one.failure] == [
        "too_large: more than 2 agents (200)"
    ]
    assert [one.ids for one in named] == [("b1",), ("b2",), ("b3",)]
    assert failure is None


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.not_found(), FailureKind.NOT_FOUND),
        (Fault.unprocessable(), FailureKind.REFUSED),
        (Fault.html(), FailureKind.INVALID_BODY),
        (Fault.truncated(), FailureKind.INVALID_BODY),
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_what_is_wrong_with_one_agent_is_told_beside_what_the_others_brought(
    agents: SimulatedBolna, reader: Reader, fault: Fault, kind: FailureKind
) -> None:
    agents.fault(fault, batch="a1/all")

    brought, failure = await found(agents, reader, {"agents": ["a1", "a2"]})

    assert ([one.ids for one in brought], failure) == ([(), ("b2",)], None)
    assert [one.failure and one.failure.kind for one in brought] == [kind, None]
    assert [one.agent for one in brought] == ["a1", "a2"]


async def test_an_agent_without_batches_is_no_failure_when_all_are_asked(
    agents: SimulatedBolna, reader: Reader
) -> None:
    agents.fault(Fault.not_found(), batch="a1/all")

    brought, failure = await found(agents, reader, "all")

    assert ([one.ids for one in brought], failure) == ([(), (), ("b2",), ("b3",)], None)


@pytest.mark.parametrize(
    "fault", [Fault.unauthorized(), Fault.server_error(), Fault.rate_limited()]
)
async def test_what_is_wrong_with_the_account_ends_it(
    agents: SimulatedBolna, reader: Reader, fault: Fault
) -> None:
    agents.fault(fault, batch="a2/all")

    brought, failure = await found(agents, reader, {"agents": ["a1", "a2", "a3"]})

    assert [one.ids for one in brought] == [("b1",)]
    assert failure is not None
    assert "a3/all" not in [served.batch for served in agents.served]


async def test_without_discovery_there_is_nobody_who_finds(
    bolna: SimulatedBolna, reader: Reader
) -> None:
    async with reader(bolna) as provider:
        assert provider.finder is None
