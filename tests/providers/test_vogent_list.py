from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.engine.ports import Provider
from monitor.providers import vogent_list
from monitor.simulator.vogent import SimulatedVogent, vogent_document
from tests.simulator.faults import Fault

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)
KEY = "the key"
Reader = Callable[..., AbstractAsyncContextManager[Provider]]


@pytest.fixture
async def vogent() -> AsyncIterator[SimulatedVogent]:
    async with SimulatedVogent(key=KEY) as api:
        yield api


async def found(vogent: SimulatedVogent, reader: Reader, discover: Any = True) -> list[list[str]]:
    async with reader(vogent, api_key=KEY, discover=discover) as provider:
        assert provider.finder is not None
        return [list(one.ids) async for one in provider.finder.find(now=NOW)]


def show(vogent: SimulatedVogent, *ids: str, **fields: Any) -> None:
    for id_ in ids:
        vogent.put(id_, vogent_document(id_, **({"createdAt": "2026-01-29T08:00:00Z"} | fields)))


async def test_the_workspace_is_read_page_by_page(vogent: SimulatedVogent, reader: Reader) -> None:
    names = [f"j{n}" for n in range(230)]
    show(vogent, *names)

    pages = await found(vogent, reader)

    assert [len(page) for page in pages] == [100, 100, 30]
    assert list(chain(*pages)) == names
    assert vogent.violations == []


async def test_only_wanted_jobs_are_found(vogent: SimulatedVogent, reader: Reader) -> None:
    show(vogent, "j1", status="ACTIVE")
    show(vogent, "j2", status="COMPLETE")
    show(vogent, "j3", status="ACTIVE", createdAt="2026-01-01T00:00:00Z")

    assert await found(vogent, reader, {"statuses": ["active"]}) == [["j1"]]


async def test_a_cursor_that_comes_again_ends_it_as_a_failure(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    vogent.fault(Fault.body(b'{"data": [{"id": "j1"}], "cursor": "c"}'), batch="")

    with pytest.raises(PollError) as caught:
        await found(vogent, reader)

    assert (caught.value.kind, caught.value.reason) == (
        FailureKind.INVALID_BODY,
        "the list begins again",
    )
    assert len(vogent.served) == 2


async def test_a_failure_says_on_which_page_it_was(vogent: SimulatedVogent, reader: Reader) -> None:
    show(vogent, *(f"j{n}" for n in range(130)))

    async with reader(vogent, api_key=KEY, discover=True) as provider:
        assert provider.finder is not None
        pages = provider.finder.find(now=NOW)
        await anext(pages)
        vogent.fault(Fault.html(), batch="")
        with pytest.raises(PollError) as caught:
            await anext(pages)

    assert caught.value.page == 2


async def test_a_list_without_end_is_read_up_to_a_bound_and_that_is_told(
    vogent: SimulatedVogent, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vogent_list, "PAGES_LIMIT", 2)
    show(vogent, *(f"j{n}" for n in range(230)))

    assert [len(page) for page in await found(vogent, reader)] == [100, 100, 0]
    async with reader(vogent, api_key=KEY, discover=True) as provider:
        assert provider.finder is not None
        *_, last = [one async for one in provider.finder.find(now=NOW)]
    assert last.failure is not None
    assert last.failure.kind is FailureKind.TOO_LARGE
    assert last.failure.reason == "more than 2 pages"


async def test_a_cursor_is_sent_as_it_came(vogent: SimulatedVogent, reader: Reader) -> None:
    vogent.fault(Fault.body(b'{"data": [], "cursor": "0&limit=1#\\u00e4"}'), batch="", times=1)

    await found(vogent, reader)

    assert [cursor for _, cursor in vogent.pages] == ["", "0&limit=1#ä"]
