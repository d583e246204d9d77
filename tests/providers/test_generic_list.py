"""Discovery by config: an API's list is read page by page, as the expressions of its table say."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.discovery import DiscoveryAnswer
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers import GenericSettings, build, generic_list
from tests.patient import HANG
from tests.providers.made_up_api import MadeUpApi

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


def settings(origin: str = "https://api.acme.example", **fields: Any) -> GenericSettings:
    discover = {"url": f"{origin}/list", "items": "data", "id": "id"} | fields.pop("discover", {})
    return GenericSettings.model_validate(
        {
            "provider": "generic",
            "url": f"{origin}/{{id}}",
            "status": "state",
            "completed": ["done"],
            "allow_http": True,
            "allow_private": True,
            "discover": discover,
        }
        | fields
    )


async def answers(api: MadeUpApi, **fields: Any) -> list[DiscoveryAnswer]:
    provider = build(settings(api.origin, **fields), deadline=timedelta(seconds=HANG))
    assert provider.finder is not None
    try:
        return [one async for one in provider.finder.find(now=NOW)]
    finally:
        await provider.close()


async def found(api: MadeUpApi, **discover: Any) -> list[list[str]]:
    return [list(one.ids) for one in await answers(api, discover=discover)]


async def failure(api: MadeUpApi, **discover: Any) -> tuple[FailureKind, str | None]:
    with pytest.raises(PollError) as caught:
        await found(api, **discover)
    return caught.value.kind, caught.value.expression


NEXT = (FailureKind.EXPRESSION, "discover.next")


def asked(api: MadeUpApi) -> list[str]:
    return [request.path_qs for request in api.requests]


def page(*ids: object, **more: object) -> bytes:
    return json.dumps({"data": [{"id": one} for one in ids]} | more).encode()


async def test_a_list_without_more_pages_is_one_request(api: MadeUpApi) -> None:
    api.put("/list", page("b1", "b2"))

    assert await found(api) == [["b1", "b2"]]
    assert asked(api) == ["/list"]


async def test_a_cursor_leads_from_page_to_page(api: MadeUpApi) -> None:
    api.put("/list?limit=2", page("b1", "b2", has_more=True, last_id="b 2&"))
    api.put("/list?limit=2&after=b%202%26", page("b3", has_more=False, last_id="b3"))

    pages = await found(
        api, url=f"{api.origin}/list?limit=2", next={"after": "has_more && last_id"}
    )

    assert pages == [["b1", "b2"], ["b3"]]


@pytest.mark.parametrize("end", [None, False, ""])
async def test_nothing_to_ask_for_is_the_end(api: MadeUpApi, end: object) -> None:
    api.put("/list", page("b1", cursor=7))
    api.put("/list?cursor=7", page("b2", cursor=end))

    assert await found(api, next={"cursor": "cursor"}) == [["b1"], ["b2"]]


@pytest.mark.parametrize(("url", "pages"), [("/list", "23"), ("/list?page=0", "012")])
async def test_pages_are_counted_until_one_is_empty_or_comes_again(
    api: MadeUpApi, url: str, pages: str
) -> None:
    api.put("/list", page("b0", "b1"))
    answered = {"0": ["b0", "b1"], "1": ["b2"], "2": ["b2"], "3": []}
    for number, ids in answered.items():
        api.put(f"/list?page={number}", page(*ids))

    found_in = await found(api, url=api.origin + url, next={"page": "+1"})

    assert set(chain(*found_in)) == {"b0", "b1", "b2"}
    assert [target.rpartition("=")[2] for target in asked(api) if "=" in target] == [*pages]


async def test_a_list_that_begins_again_fails(api: MadeUpApi) -> None:
    api.answer_all(page("b1", cursor="c"))

    assert await failure(api, next={"cursor": "cursor"}) == (FailureKind.INVALID_BODY, None)
    assert len(asked(api)) == 2


async def test_a_list_without_end_is_read_up_to_a_bound_and_that_is_told(
    api: MadeUpApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generic_list, "PAGES_LIMIT", 2)
    for number in range(1, 4):
        target = "/list" if number == 1 else f"/list?page={number}"
        api.put(target, page(f"b{number}"))

    *pages, last = await answers(api, discover={"next": {"page": "+1"}})

    assert [one.ids for one in pages] == [("b1",), ("b2",)]
    assert last.failure is not None
    assert last.failure.kind is FailureKind.TOO_LARGE


@pytest.mark.parametrize(
    ("days", "pages"),
    [((1, 2), 2), ((1, 9), 1), ((9, 1), 2), ((9, 9), 2), ((9, None), 2), ((9,), 2)],
)
async def test_a_list_whose_newest_come_first_is_read_no_further_than_what_is_wanted(
    api: MadeUpApi, days: tuple[int | None, ...], pages: int
) -> None:
    ages = [None if age is None else (NOW - timedelta(days=age)).isoformat() for age in days]
    items = [{"id": f"b{number}", "at": age} for number, age in enumerate(ages)]
    api.put("/list", json.dumps({"data": items, "cursor": "c"}).encode())
    api.put("/list?cursor=c", page())

    await found(api, created_at="at", next={"cursor": "cursor"})

    assert len(asked(api)) == pages


async def test_an_id_may_be_a_number_a_resource_name_or_an_arn(api: MadeUpApi) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abc"
    api.put("/list", page(7, "batches/8", arn))

    assert await found(api) == [["7", "8", "abc"]]


async def test_what_is_not_wanted_or_has_no_usable_id_is_left_out(api: MadeUpApi) -> None:
    items = [
        {"id": "new", "at": "2026-01-29T08:00:00Z", "is": "RUNNING"},
        {"id": "by-seconds", "at": NOW.timestamp() - 60, "is": "running"},
        {"id": "undated", "at": "soon", "is": "running"},
        {"id": "old", "at": "2026-01-01T08:00:00Z", "is": "running"},
        {"id": "ended", "at": None, "is": "done"},
        {"id": "", "is": "running"},
        {"id": "a b", "is": "running"},
        {"id": None, "is": "running"},
        {"id": True, "is": "running"},
        "no object",
        None,
    ]
    api.put("/list", json.dumps({"data": items}).encode())

    (one,) = await answers(
        api, discover={"created_at": "at", "status": '"is"', "statuses": ["running"]}
    )

    assert one.ids == ("new", "by-seconds", "undated")
    assert one.skipped == 8


async def test_a_list_may_be_the_whole_document_or_null(api: MadeUpApi) -> None:
    api.put("/list", b'["b1", "b2"]')
    assert await found(api, items="@", id="@") == [["b1", "b2"]]

    api.put("/list", b'{"data": null}')
    assert await found(api) == [[]]


@pytest.mark.parametrize(
    ("body", "discover", "expected"),
    [
        (b'{"data": {"b1": 1}}', {}, (FailureKind.EXPRESSION, "discover.items")),
        (b'{"data": []}', {"items": "length(x)"}, (FailureKind.EXPRESSION, "discover.items")),
        (page("b1"), {"id": "length(x)"}, (FailureKind.EXPRESSION, "discover.id")),
        (
            page(cursor={"a": 1}),
            {"next": {"c": "cursor"}},
            NEXT,
        ),
        (page(cursor=True), {"next": {"c": "cursor"}}, NEXT),
        (
            page(cursor="x" * 3000),
            {"next": {"c": "cursor"}},
            NEXT,
        ),
        (b"<html>", {}, (FailureKind.INVALID_BODY, None)),
    ],
)
async def test_what_does_not_fit_names_its_expression(
    api: MadeUpApi,
    body: bytes,
    discover: dict[str, Any],
    expected: tuple[FailureKind, str | None],
) -> None:
    api.put("/list", body)

    assert await failure(api, **discover) == expected


async def test_a_page_may_be_as_large_as_an_answer(api: MadeUpApi) -> None:
    items = [{"id": f"b{number}", "note": "x" * 200} for number in range(9_000)]
    api.put("/list", json.dumps({"data": items}).encode())

    (one,) = await answers(api, answer_limit="4MiB")
    assert len(one.ids) == 9_000

    with pytest.raises(PollError) as caught:
        await answers(api)
    assert caught.value.kind is FailureKind.TOO_LARGE


async def test_the_same_keys_are_sent(api: MadeUpApi) -> None:
    api.answer_all(page("b1"))

    await answers(api, bearer="k", query={"token": "a secret"})

    (request,) = api.requests
    assert request.headers["Authorization"] == "Bearer k"
    assert request.path_qs == "/list?token=a%20secret"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "https://elsewhere.example/list"}, "must begin with https://api.acme.example"),
        ({"url": "https://api.acme.example:8443/list"}, "must begin with https://api.acme.example"),
        ({"url": "https://api.acme.example/{id}/list"}, "no braces"),
        ({"statuses": ["running"]}, "is missing: statuses are compared with what it finds"),
        ({"next": {}}, "must be a table of one parameter"),
        ({"next": {"a": "x", "b": "y"}}, "must be a table of one parameter"),
        ({"next": {"a&b": "x"}}, "is no name of a query parameter"),
        ({"next": {"after": "last id"}}, "is no JMESPath expression"),
        ({"items": "data["}, "is no JMESPath expression"),
    ],
)
def test_a_mistake_in_the_table_is_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(discover=fields)

    assert said in str(caught.value)


def test_it_can_be_switched_off() -> None:
    fields = {"url": "https://api.acme.example/{id}", "status": "state", "completed": ["done"]}

    for off in (False, None):
        parsed = GenericSettings.model_validate(fields | {"provider": "generic", "discover": off})
        assert parsed.discover is None
