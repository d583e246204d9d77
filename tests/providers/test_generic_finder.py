"""Discovery by config: an API's list is read page by page, as the expressions of its table say."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.discovery import DiscoveryAnswer, Entries
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers import GenericSettings, build, generic_finder
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


async def failure(api: MadeUpApi, **discover: Any) -> PollError:
    with pytest.raises(PollError) as caught:
        await found(api, **discover)
    return caught.value


NEXT = {"next": {"c": "cursor"}}


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


@pytest.mark.parametrize(
    ("url", "step", "targets"),
    [
        ("/list", "+50", ["/list", "/list?offset=50", "/list?offset=100"]),
        ("/list?offset=7&n=2", "+2", ["/list?offset=7&n=2", "/list?n=2&offset=9"]),
        ("/list?offset=first", "+20", ["/list?offset=first", "/list?offset=20"]),
        ("/list", "+1", ["/list", "/list?offset=2"]),
    ],
)
async def test_steps_are_counted_from_the_number_in_the_url_or_the_first(
    api: MadeUpApi, url: str, step: str, targets: list[str]
) -> None:
    whole = [[f"b{number}-{one}" for one in range(int(step))] for number in range(len(targets))]
    for target, ids in zip(targets, whole, strict=True):
        api.put(target, page(*ids))
    api.answer_all(page())

    pages = await found(api, url=api.origin + url, next={"offset": step})

    assert pages == [*whole, []]
    assert asked(api)[:-1] == targets


@pytest.mark.parametrize("step", ["+1", "+20"])
@pytest.mark.parametrize("status", [404, 410])
async def test_a_404_after_the_first_page_is_the_end_of_counted_ones(
    api: MadeUpApi, step: str, status: int
) -> None:
    api.put("/list", page("b1"))
    api.put(f"/list?page={step[1:].replace('1', '2')}", b"{}", status=status)

    assert await found(api, next={"page": step}) == [["b1"], []]
    assert len(asked(api)) == 2


async def test_any_other_refusal_and_a_404_of_the_first_page_or_by_a_cursor_fail(
    api: MadeUpApi,
) -> None:
    assert (await failure(api, next={"page": "+1"})).status_code == 404

    api.put("/list", page("b1", cursor="c"))
    for status in (400, 403, 500):
        api.put("/list?page=2", b"{}", status=status)
        error = await failure(api, next={"page": "+1"})
        assert (error.status_code, error.page) == (status, 2)

    assert (await failure(api, next={"cursor": "cursor"})).status_code == 404


async def test_a_list_that_begins_again_fails(api: MadeUpApi) -> None:
    api.answer_all(page("b1", cursor="c"))

    error = await failure(api, next={"cursor": "cursor"})

    assert str(error) == "invalid_body: the list begins again: check discover.next (200)"
    assert error.page == len(asked(api)) == 2


async def test_pages_that_hold_less_than_what_is_added_are_told(api: MadeUpApi) -> None:
    api.put("/list", page("b1", "b2"))
    api.put("/list?offset=3", page("b4", "b5"))

    error = await failure(api, next={"offset": "+3"})

    assert error.reason == "a page holds 2 batches: discover.next adds 3"


async def test_the_last_page_may_hold_less_than_what_is_added(api: MadeUpApi) -> None:
    api.put("/list", page("b1", "b2", "b3"))
    api.put("/list?offset=3", page("b4"))
    api.put("/list?offset=6", page())

    pages = await found(api, next={"offset": "+3"})

    assert pages == [["b1", "b2", "b3"], ["b4"], []]


async def test_a_list_without_end_is_read_up_to_a_bound_and_that_is_told(
    api: MadeUpApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generic_finder, "PAGES_LIMIT", 2)
    for number in range(1, 4):
        target = "/list" if number == 1 else f"/list?page={number}"
        api.put(target, page(f"b{number}"))

    *pages, last = await answers(api, discover={"next": {"page": "+1"}})

    assert [one.ids for one in pages] == [("b1",), ("b2",)]
    assert str(last.failure) == "too_large: more than 2 pages (200)"


@pytest.mark.parametrize("ids", [["b1"], [None], []])
async def test_an_endless_list_whose_cursor_is_always_new_is_too_large(
    api: MadeUpApi, ids: list[object]
) -> None:
    for number in range(150):
        target = f"/list?cursor={number}" if number else "/list"
        api.put(target, page(*ids, cursor=number + 1))

    *_, last = await answers(api, discover={"next": {"cursor": "cursor"}})

    assert str(last.failure) == "too_large: more than 100 pages (200)"
    assert len(asked(api)) == 100


async def test_a_page_of_more_batches_than_a_round_takes_shows_that_there_are_more(
    api: MadeUpApi,
) -> None:
    api.put("/list", page(*range(10_002)))

    (one,) = await answers(api)

    assert len(one.ids) == 10_001


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
    assert one.entries == Entries(
        number=11, no_id=6, too_old=1, other_status=1, undated=8, no_status=2
    )
    assert one.entries.unread == set()


async def test_a_list_may_be_the_whole_document_or_null(api: MadeUpApi) -> None:
    api.put("/list", b'["b1", "b2"]')
    assert await found(api, items="@", id="@") == [["b1", "b2"]]

    api.put("/list", b'{"data": null}')
    assert await found(api) == [[]]


@pytest.mark.parametrize(
    ("discover", "unread"),
    [
        ({}, set()),
        ({"created_at": "at", "status": "state", "statuses": ["on"]}, set()),
        ({"items": "campaigns"}, {"items"}),
        ({"id": "uuid"}, {"id"}),
        ({"created_at": "created"}, {"created_at"}),
        ({"created_at": "state"}, {"created_at"}),
        ({"status": "phase"}, set()),  # nothing is compared with it
        ({"status": "phase", "statuses": ["on"]}, {"status"}),
    ],
)
async def test_an_expression_that_finds_nothing_usable_in_any_entry_is_known(
    api: MadeUpApi, discover: dict[str, Any], unread: set[str]
) -> None:
    items = [{"id": f"b{number}", "at": 1_769_000_000, "state": "on"} for number in range(2)]
    api.put("/list", json.dumps({"data": items}).encode())

    (one,) = await answers(api, discover=discover)

    assert one.entries.unread == unread


@pytest.mark.parametrize(
    ("body", "discover", "said"),
    [
        (b'{"data": {"b1": 1}}', {}, "items: must be an array; found an object"),
        (b'{"data": "b1"}', {}, "items: must be an array; found a text"),
        (b'{"data": []}', {"items": "length(x)"}, "items: length() wants "),
        (page("b1"), {"id": "length(x)"}, "id: length() wants "),
        (page(cursor={}), NEXT, "next: must be a text or a whole number; found an object"),
        (page(cursor=True), NEXT, "next: must be a text or a whole number; found true or false"),
        (page(cursor="x" * 3000), NEXT, "next: must be printable, at most 2048 characters"),
    ],
)
async def test_what_does_not_fit_names_its_expression(
    api: MadeUpApi,
    body: bytes,
    discover: dict[str, Any],
    said: str,
) -> None:
    api.put("/list", body)

    error = await failure(api, **discover)

    assert str(error).startswith(f"expression discover.{said}")
    assert error.page == 1


async def test_what_is_no_json_fails(api: MadeUpApi) -> None:
    api.put("/list", b"<html>")

    error = await failure(api)

    assert (error.kind, error.expression, error.page) == (FailureKind.INVALID_BODY, None, 1)


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
        ({"next": {"page": "+0"}}, "is no JMESPath expression"),
        ({"next": "+1"}, 'such as { after = "last_id" } or { page = "+1" }'),
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
