import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers.vogent_page import Page, PageReader
from tests.cpu import cpu_seconds

PART = 16 * 1024
MIB = 1024 * 1024


def read(body: bytes, *, statuses: bool = True, part: int = PART) -> Page:
    reader = PageReader(statuses=statuses)
    for start in range(0, len(body), part):
        reader.take(body[start : start + part])
    return reader.close()


def page(*rows: Any, **fields: Any) -> bytes:
    return json.dumps({"data": rows, "cursor": None} | fields, ensure_ascii=False).encode()


def dial(**fields: Any) -> dict[str, Any]:
    return {"id": "d1", "status": "completed"} | fields


@pytest.mark.parametrize("part", [1, 7, PART])
def test_ids_statuses_and_the_cursor_are_kept_however_the_bytes_come(part: int) -> None:
    said = [{"speaker": "AI", "id": "x", "status": "y", "said": ['"}]', "नमस्ते", {"data": []}]}]
    body = page(dial(transcript=said), dial(id="d2", status="busy"), dial(id=3), cursor="c2")

    found = read(body, part=part)

    assert found == Page(rows={"d1": "completed", "d2": "busy", "3": "completed"}, cursor="c2")


def test_a_row_of_the_queue_has_no_status() -> None:
    assert read(page({"id": "q1"}), statuses=False).rows == {"q1": "queued"}


@pytest.mark.parametrize("cursor", [b"", b', "cursor": null', b', "cursor": ""'])
@pytest.mark.parametrize("data", [b"[]", b"null"])
def test_an_empty_page_may_be_the_last(data: bytes, cursor: bytes) -> None:
    assert read(b'{"data": %s%s}' % (data, cursor)) == Page(rows={}, cursor=None)


def test_other_fields_do_not_matter_wherever_they_stand() -> None:
    rest = {"id": 1, "status": [dial()], "more": {"data": [dial(id="no")], "cursor": "no"}}

    found = read(json.dumps({"total": [dial()]} | json.loads(page(dial())) | rest).encode())

    assert found == Page(rows={"d1": "completed"}, cursor=None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b'{"cursor": null}',
        page()[:-1],
        page() + b"x",
        page() + page(),
        b"\xef\xbb\xbf" + page(),
        b'{"data": {}}',
        b'{"data": "none"}',
        b'{"data": 0}',
        page(None),
        page(1),
        page([]),
        page([dial()]),
        page(dial(), "d2"),
        page({"status": "completed"}),
        page(dial(id=None)),
        page(dial(id="")),
        page(dial(id=True)),
        page(dial(id=1.5)),
        page(dial(id=["d1"])),
        page(dial(id="x" * 257)),
        page(dial(status=" ")),
        page(dial(status="x" * 65)),
        page(cursor=7),
        page(cursor=False),
        page(cursor=["c2"]),
        page(cursor={"c2": None}),
        page(cursor="c" * 2049),
        b'{"data": [], "data": []}',
        b'{"data": [], "cursor": "c2", "cursor": null}',
        b'{"data": [{"id": "d1", "id": "d2", "status": "busy"}]}',
        b'{"data": [{"id": "d1", "status": "busy", "status": "busy"}]}',
        page(dial(said="\xff")).replace("\xff".encode(), b"\xff"),
        b'{"data": [], "x": NaN}',
        b'{"data": [], "x": Infinity}',
        b'{"data": [], "x": 1e99999999999999999999}',
        b'{"data": [], "x": ' + b"9" * 5000 + b"}",
        b'{"data": [], "x": ' + b"[" * 101,
        b'{"data": [], // no comment\n"x": 1}',
    ],
    ids=lambda body: body[:48].decode("latin-1"),
)
def test_what_is_no_page_fails_the_poll(body: bytes) -> None:
    with pytest.raises(PollError) as caught:
        read(body)

    assert caught.value.kind is FailureKind.INVALID_BODY


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_arbitrary_bytes_raise_nothing_but_a_poll_error(body: bytes, part: int) -> None:
    with suppress(PollError):
        read(body, part=part)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a long text": lambda: b'{"x": "' + b"x" * 8 * MIB,
    "a long text of wide characters": lambda: page(dial(said="x" * 250_000 + "\U0001f600")),
    "a long key": lambda: b'{"' + b"x" * 8 * MIB,
    "spaces": lambda: b" " * 8 * MIB + page(),
    "a long number": lambda: b'{"x": ' + b"9" * 8 * MIB,
    "nesting": lambda: b'{"x": ' + b"[" * MIB,
    "nested objects": lambda: b'{"x": ' * MIB,
    "values before the rows": lambda: b'{"x": [' + b"0," * MIB,
    "values in a row": lambda: b'{"data": [{"id": "d1", "x": [' + b"{}," * MIB,
    "rows without end": lambda: page(*(dial(id=f"{n:0256d}") for n in range(10_002))),
    "keys without end": lambda: b"{" + b",".join(b'"%d": 0' % n for n in range(200_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_costs_little(name: str) -> None:
    body = HOSTILE[name]()

    def try_it() -> None:
        with suppress(PollError):
            read(body)

    times = [cpu_seconds(try_it) for _ in range(3)]

    tracemalloc.start()
    try:
        with suppress(PollError):
            read(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 * MIB
    assert sorted(times)[1] < 0.5  # some 25 ms
