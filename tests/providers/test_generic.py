import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.batch import Outcome, Phase, Progress, Reading, SettledBy, progress
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.core.knowledge import learn
from monitor.providers import GenericSettings, build
from monitor.providers.finding import Finding
from monitor.providers.generic import meaning_of
from monitor.providers.meaning import Meaning
from tests.patient import HANG
from tests.providers.made_up_api import MadeUpApi

START, MINUTE = datetime(2026, 1, 29, 8, 30, tzinfo=UTC), timedelta(minutes=1)
FIELDS = {
    "provider": "generic",
    "url": "https://api.acme.example/v1/batches/{id}",
    "id": "id",
    "status": "state",
    "counts": "calls",
    "total": "total",
    "valid": "valid",
    "name": "title",
    "scheduled_at": "start",
    "pending": ["planned"],
    "running": ["dialing"],
    "paused": ["on hold"],
    "completed": ["done"],
    "failed": ["broken"],
    "cancelled": ["stopped"],
    "final_calls": ["answered", "no-answer"],
    "parked_calls": ["call back"],
}


def meaning(**fields: Any) -> Meaning:
    given = {key: value for key, value in (FIELDS | fields).items() if value is not None}
    return meaning_of(GenericSettings.model_validate(given))


WHOLE = meaning()


def read(document: object, **fields: Any) -> Reading:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return (meaning(**fields) if fields else WHOLE).read(body, batch_id="b1")


def shown(**fields: Any) -> dict[str, Any]:
    return {"id": "b1", "state": "dialing"} | fields


def failure(document: object, **fields: Any) -> tuple[FailureKind, str | None]:
    with pytest.raises(PollError) as caught:
        read(document, **fields)
    assert caught.value.status_code == 200
    return caught.value.kind, caught.value.expression


def test_an_answer_is_put_in_our_words() -> None:
    calls = {"answered": 3, "NO_ANSWER": "1", "call-back": 2.0, "ringing": 1, "unknown": None}

    reading = read(
        shown(calls=calls, total=9, valid=7, title="January", start="2026-01-29T08:30:00Z")
    )

    assert reading == Reading(
        status="dialing",
        phase=Phase.RUNNING,
        counts={"answered": 3, "NO_ANSWER": 1, "call-back": 2, "ringing": 1},
        open_calls=3,
        parked_calls=2,
        tells_live=False,
        total_contacts=9,
        valid_contacts=7,
        name="January",
        scheduled_at=datetime(2026, 1, 29, 8, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("word", "phase", "outcome"),
    [
        ("planned", Phase.PENDING, None),
        ("DIALING", Phase.RUNNING, None),
        ("on_hold", Phase.PAUSED, None),
        ("Done", Phase.ENDED, Outcome.COMPLETED),
        ("broken", Phase.ENDED, Outcome.FAILED),
        ("stopped", Phase.ENDED, Outcome.CANCELLED),
        ("melting", Phase.UNKNOWN, None),
    ],
)
def test_words_are_compared_folded_and_others_are_unknown(
    word: str, phase: Phase, outcome: Outcome | None
) -> None:
    reading = read(shown(state=word))

    assert (reading.status, reading.phase, reading.outcome) == (word, phase, outcome)


def test_a_list_of_calls_is_counted() -> None:
    calls = [{"status": "answered"}, {"status": "ringing"}, {"status": "answered"}]

    reading = read(shown(calls=calls), counts="calls[].status")

    assert reading.counts == {"answered": 2, "ringing": 1}
    assert reading.open_calls == 1


def test_an_account_without_counts_says_so() -> None:
    reading = read(shown(), counts=None, final_calls=None, parked_calls=None)

    assert (reading.counts, reading.counted) == (None, False)


@pytest.mark.parametrize("calls", [None, {}])
def test_counts_may_be_null_or_empty(calls: object) -> None:
    reading = read(shown(calls=calls, total=5), rest_calls="waiting")

    assert reading.counted
    assert reading.counts == (None if calls is None else {"waiting": 5})


@pytest.mark.parametrize(
    ("fields", "counts", "open_calls"),
    [
        ({"calls": {"answered": 3}, "total": 5}, {"answered": 3, "waiting": 2}, 2),
        ({"calls": {"answered": 3}, "total": 9, "valid": 5}, {"answered": 3, "waiting": 2}, 2),
        ({"calls": {"answered": 3, "waiting": 1}, "total": 5}, {"answered": 3, "waiting": 2}, 2),
        ({"calls": {"answered": 5}, "total": 5}, {"answered": 5}, 0),
        ({"calls": {"answered": 6}, "total": 5}, {"answered": 6}, 0),
        ({"calls": {"answered": 3}}, {"answered": 3}, 0),
    ],
)
def test_what_counts_leave_out_of_the_total_is_open(
    fields: dict[str, Any], counts: dict[str, int], open_calls: int
) -> None:
    reading = read(shown(**fields), rest_calls="waiting")

    assert (reading.counts, reading.open_calls) == (counts, open_calls)


def test_an_end_with_calls_left_out_asks_for_a_second_reading() -> None:
    reading = read(shown(state="stopped", calls={"answered": 3}, total=5), rest_calls="waiting")

    assert (reading.counts, reading.open_calls) == ({"answered": 3}, 0)
    assert (reading.total_contacts, reading.least_contacts) == (5, 5)


@pytest.mark.parametrize("state", ["done", "broken", "stopped"])
@pytest.mark.parametrize("totals", [{"total": 5}, {"total": 9, "valid": 5}])
def test_an_end_with_calls_left_out_is_not_all_of_them(state: str, totals: dict[str, int]) -> None:
    limits = Limits(stall_after=None, overdue_after=None, settle_after=timedelta(minutes=15))
    end = read(shown(state=state, calls={"answered": 3}, **totals), rest_calls="waiting")

    known = learn(None, end, interval=MINUTE, limits=limits, at=START)
    again = learn(known, end, interval=MINUTE, limits=limits, at=START + MINUTE)

    for one in (end, known, again):
        assert one.total_contacts == totals["total"]
        assert progress(one) == Progress(total=5, finished=3, open=0, percent=60.0)
    assert (known.settled_at, again.settled_by) == (None, SettledBy.CONFIRMED)


@pytest.mark.parametrize(
    ("start", "moment"),
    [
        (1769675400, datetime(2026, 1, 29, 8, 30, tzinfo=UTC)),
        (1769675400000, datetime(2026, 1, 29, 8, 30, tzinfo=UTC)),
        (1769675400.5, datetime(2026, 1, 29, 8, 30, 0, 500000, tzinfo=UTC)),
        ("2026-01-29T09:30:00+01:00", datetime(2026, 1, 29, 8, 30, tzinfo=UTC)),
        ("tomorrow", None),
        (None, None),
    ],
)
def test_a_start_is_a_text_or_a_number(start: object, moment: datetime | None) -> None:
    assert read(shown(start=start)).scheduled_at == moment


@pytest.mark.parametrize("found", ["b1", "B-1"])
def test_an_id_may_be_written_in_another_way(found: str) -> None:
    assert read(shown(id=found)).status == "dialing"


def test_an_answer_may_be_an_array() -> None:
    body = b'[{"state": "dialing"}, {"state": "done"}]'

    assert read(body, id=None, status="[0].state").status == "dialing"


def test_a_call_without_a_status_is_an_open_one() -> None:
    calls = [{"is": "answered"}, {"is": None}, {}]

    for counts in ("calls[].is", "calls[*].is", "calls[?!gone].is", "map(&is, calls)"):
        reading = read(shown(calls=calls), counts=counts, total="length(calls)")
        assert reading.counts == {"answered": 1, "null": 2}
        assert (reading.open_calls, reading.total_contacts) == (2, 3)


@pytest.mark.parametrize("unknown", [-1, -1.0, "-1"])
def test_minus_one_is_an_unknown_number(unknown: object) -> None:
    reading = read(shown(calls={"answered": 2, "ringing": unknown}, total=unknown))

    assert reading.counts == {"answered": 2}
    assert reading.total_contacts is None


def test_an_id_may_be_a_number() -> None:
    assert WHOLE.read(b'{"id": 42, "state": "done"}', batch_id="42").phase is Phase.ENDED


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"id": None}, "id"),
        ({"id": True}, "id"),
        ({"state": None}, "status"),
        ({"state": ""}, "status"),
        ({"state": 3}, "status"),
        ({"state": {"a": 1}}, "status"),
        ({"state": "a\0"}, "status"),
        ({"state": "\ud800"}, "status"),
        ({"state": "x" * 65}, "status"),
        ({"calls": 5}, "counts"),
        ({"calls": "busy"}, "counts"),
        ({"calls": ["busy", 1]}, "counts"),
        ({"calls": ["\ud800"]}, "counts"),
        ({"calls": {"busy": True}}, "counts"),
        ({"calls": {"busy": -2}}, "counts"),
        ({"calls": {"busy": 1.5}}, "counts"),
        ({"calls": {"busy": 2**63}}, "counts"),
        ({"calls": {"busy": 2**63 - 1, "ringing": 1}}, "counts"),
        ({"calls": {"busy": "many"}}, "counts"),
        ({"calls": {"": 1}}, "counts"),
        ({"calls": {"a\0": 1}}, "counts"),
        ({"calls": {f"word {n}": 1 for n in range(33)}}, "counts"),
        ({"calls": [f"word {n}" for n in range(33)]}, "counts"),
        ({"total": float("nan")}, "total"),
        ({"total": "1e999"}, "total"),
        ({"total": False}, "total"),
        ({"valid": []}, "valid"),
        ({"title": 7}, "name"),
        ({"title": "a\0"}, "name"),
        ({"title": "\ud800"}, "name"),
        ({"start": True}, "scheduled_at"),
        ({"start": float("inf")}, "scheduled_at"),
        ({"start": float("nan")}, "scheduled_at"),
        ({"start": 10**400}, "scheduled_at"),
    ],
)
def test_a_result_of_a_wrong_type_names_its_expression(fields: dict[str, Any], key: str) -> None:
    assert failure(shown(**fields)) == (FailureKind.EXPRESSION, key)


def test_an_evaluation_error_names_its_expression() -> None:
    calls = {"busy": 1, "ringing": None}

    found = failure(shown(calls=calls), total="sum(values(calls))")

    assert found == (FailureKind.EXPRESSION, "total")


def test_as_many_statuses_as_fit_leave_no_room_for_the_rest() -> None:
    calls = {f"word {n}": 1 for n in range(32)}

    assert len(read(shown(calls=calls, total=99)).counts or {}) == 32
    assert failure(shown(calls=calls, total=99), rest_calls="waiting") == (
        FailureKind.EXPRESSION,
        "counts",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'"a"',
        b'{"state": "dialing"',
        b"\xff",
        b"[" * 50_000,
        b'{"a":' * 25_000,
        b'{"state": ' + b"9" * 5000 + b"}",
        b'{"id": "another", "state": "dialing"}',
    ],
)
def test_what_is_no_document_of_the_batch_is_an_invalid_body(body: bytes) -> None:
    assert failure(body) == (FailureKind.INVALID_BODY, None)


def test_deep_nesting_under_an_expression_is_no_crash() -> None:
    deep = b'{"id": "b1", "state": "dialing", "x": ' + b"[" * 900 + b"]" * 900 + b"}"

    reading = read(deep, name="x == x && to_string(x)")

    assert (reading.name or "")[:3] == "[[["


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("calls", "total", "valid", "title", "start"), anything),
            "id": st.just("b1") | anything,
            "state": st.sampled_from(["dialing", "done"]) | anything,
        },
    )
)
def test_arbitrary_fields_make_a_sound_reading_or_a_poll_error(fields: dict[str, Any]) -> None:
    try:
        reading = read(fields, rest_calls="waiting")
    except PollError:
        return
    total = sum((reading.counts or {}).values())
    assert 0 <= reading.parked_calls <= reading.open_calls <= total <= 2**63 - 1
    assert len((reading.status + (reading.name or "")).encode()) < 4 * 320


def test_findings_tell_what_each_expression_makes_of_an_answer() -> None:
    found = meaning(valid=None, total="sum(values(calls))").findings(
        b'{"id": "b1", "state": 3, "calls": {"busy": null}}'
    )

    assert list(found) == [
        Finding(key="id", expression="id", value="b1"),
        Finding(
            key="status",
            expression="state",
            value=3,
            problem="must be a status word: a printable text of 1 to 64 bytes; found a number",
        ),
        Finding(key="counts", expression="calls", value={"busy": None}),
        Finding(
            key="total",
            expression="sum(values(calls))",
            problem="sum() wants array-number, not null",
        ),
        Finding(key="name", expression="title"),
        Finding(key="scheduled_at", expression="start"),
    ]


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


@pytest.mark.parametrize(
    ("template", "batch_id", "asked"),
    [
        ("/v1/batches/{id}", "b1", "/v1/batches/b1"),
        ("/v1/batches/{id}/summary?full=1", "a b", "/v1/batches/a%20b/summary?full=1"),
        ("/v1/batch?id={id}", "a&b=c+d", "/v1/batch?id=a%26b%3Dc%2Bd"),
    ],
)
async def test_the_id_goes_where_the_url_says(
    template: str, batch_id: str, asked: str, api: MadeUpApi
) -> None:
    fields = FIELDS | {"url": api.origin + template, "allow_http": True, "allow_private": True}
    provider = build(
        GenericSettings.model_validate(fields | {"bearer": "k"}), deadline=timedelta(seconds=HANG)
    )
    body = json.dumps({"id": batch_id, "state": "done"}).encode()
    answered = api.answer_all(body)

    reading = await provider.read(batch_id, None)
    await provider.close()

    assert reading.phase is Phase.ENDED
    assert [request.raw_path for request in answered] == [asked]
    assert answered[0].headers["Authorization"] == "Bearer k"
    assert answered[0].headers["Accept"] == "application/json"


async def test_a_header_of_ones_own_wins(api: MadeUpApi) -> None:
    fields = {
        "provider": "generic",
        "url": f"{api.origin}/{{id}}",
        "status": "state",
        "completed": ["done"],
        "headers": {"accept": "application/vnd.acme+json"},
        "allow_http": True,
        "allow_private": True,
    }
    provider = build(GenericSettings.model_validate(fields), deadline=timedelta(seconds=HANG))
    answered = api.answer_all(b'{"state": "done"}')

    await provider.read("b1", None)
    await provider.close()

    assert answered[0].headers.getall("Accept") == ["application/vnd.acme+json"]
