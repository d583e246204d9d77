import json
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers import entries
from monitor.providers.entries import TEXT_LIMIT, EntryReader


def read(body: bytes, *, paged: bool = False, parts: int = 7) -> tuple[list[Any], str | None]:
    """Read a list of `id` and `status`, in parts."""
    taken: list[Mapping[str, Any]] = []
    reader = EntryReader({"id", "status"}, taken.append, paged=paged)
    size = max(1, len(body) // parts)
    for start in range(0, len(body), size):
        reader.take(body[start : start + size])
    reader.close()
    return taken, reader.cursor


def test_a_bare_array_is_read_entry_by_entry() -> None:
    body = (
        b'[{"id": "b1", "status": "x", "more": {"id": "no"}}, {"id": "b2", "list": ["id", "no"]}]'
    )

    assert read(body)[0] == [{"id": "b1", "status": "x"}, {"id": "b2"}]


def test_a_page_is_read_with_the_cursor_of_the_next() -> None:
    body = (
        b'{"cursor": "c2", "meta": {"cursor": "no"}, "data": [{"id": "j1"}], "more": [{"id": 1}]}'
    )

    assert read(body, paged=True) == ([{"id": "j1"}], "c2")


@pytest.mark.parametrize("cursor", [b"null", b'""'])
def test_the_last_page_has_no_cursor(cursor: bytes) -> None:
    assert read(b'{"data": [], "cursor": %s}' % cursor, paged=True) == ([], None)


def test_a_page_of_null_is_empty_and_so_is_an_empty_array() -> None:
    assert read(b'{"data": null}', paged=True) == ([], None)
    assert read(b"[]") == ([], None)


def test_what_is_no_object_is_an_entry_without_fields() -> None:
    body = b'[{"id": "b1"}, ["b2", {"id": "b3"}], "b4", null, 5, {"id": ["b6"], "status": {}}]'

    assert read(body)[0] == [{"id": "b1"}, {}, {}, {}, {}, {"id": None, "status": None}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"error": 1, "message": "no"}',
        b"7",
        b"<html>",
        b'[{"id": "b1"}',
        b'[{"id": "b1"}] []',
        b'["\\ud800"]'[:-1],
        b'["\xff"]',
        b"[1e999999999999999999999]"[:-1],
        b"[" * 100_000,
        b"[" * 101 + b"]" * 101,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        read(body)

    assert caught.value.kind is FailureKind.INVALID_BODY


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"data": {}}',
        b'{"data": "x"}',
        b'{"data": [], "cursor": 7}',
        b'{"data": [], "cursor": {}}',
        b'{"data": [], "cursor": "%s"}' % (b"x" * 3000),
    ],
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        read(body, paged=True)

    assert caught.value.kind is FailureKind.INVALID_BODY


def test_a_long_list_is_never_whole_in_memory() -> None:
    prompt = "x" * 100_000
    part = json.dumps({"id": "a1", "prompt": prompt}).encode()
    seen = 0

    def take(entry: Mapping[str, Any]) -> None:
        nonlocal seen
        seen += entry == {"id": "a1"}

    reader = EntryReader({"id"}, take)
    tracemalloc.start()
    try:
        reader.take(b"[" + part)
        for _ in range(199):
            reader.take(b"," + part)
        reader.take(b"]")
        reader.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert seen == 200
    assert peak < 4 * 1024 * 1024


def test_a_text_without_end_is_refused() -> None:
    reader = EntryReader({"id"}, lambda _: None)
    reader.take(b'["')
    for _ in range(TEXT_LIMIT // 65536):
        reader.take(b"x" * 65536)

    with pytest.raises(PollError):
        reader.take(b"x" * 65536)


def test_a_list_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "EVENTS_LIMIT", 1000)
    reader = EntryReader({"id"}, lambda _: None)
    reader.take(b"[" + b"1," * 999)

    with pytest.raises(PollError):
        reader.take(b"1," * 10)
