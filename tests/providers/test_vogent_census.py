import asyncio
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
from aiohttp import web

from monitor.core.batch import Knowledge, Phase, Reading
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.engine.ports import Provider
from monitor.providers import vogent_census
from monitor.providers.vogent_page import Page
from monitor.simulator.lives import Life, step
from monitor.simulator.paging import Paging
from monitor.simulator.vogent import SimulatedVogent, vogent_document, vogent_life
from tests.faults.simulation.loop import VirtualLoop
from tests.patient import HANG
from tests.simulator.faults import Fault

SHORT = 0.2
"""The deadline of what only a deadline ends, in seconds."""

KEY = "the key"
AT = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
Reader = Callable[..., AbstractAsyncContextManager[Provider]]
Row = Mapping[str, str]


@pytest.fixture
async def vogent() -> AsyncIterator[SimulatedVogent]:
    async with SimulatedVogent(key=KEY) as api:
        yield api


def dials(number: int, status: str = "completed", *, first: int = 0) -> list[Row]:
    return [{"id": f"d{n}", "status": status} for n in range(first, first + number)]


def queue(number: int) -> list[Row]:
    return [{"id": f"q{n}"} for n in range(number)]


def show(
    api: SimulatedVogent,
    *,
    dials: Sequence[Row] = (),
    queue: Sequence[Row] = (),
    status: str = "ACTIVE",
) -> None:
    document = vogent_document("j1", status=status)
    api.put("j1", Life([step(document, lists={"dials": dials, "queue": queue})]))


def known(reading: Reading, *, settled: bool = False) -> Knowledge:
    """Make what a reading leaves behind."""
    return Knowledge(
        status=reading.status,
        phase=reading.phase,
        outcome=reading.outcome,
        counts=reading.counts,
        open_calls=reading.open_calls,
        total_contacts=reading.least_contacts,
        valid_contacts=None,
        name=None,
        scheduled_at=None,
        changed_at=AT,
        phase_since=AT,
        started_at=AT,
        settled_at=AT if settled else None,
    )


def asked(api: SimulatedVogent) -> list[str]:
    """List the pages that were asked for since the last look."""
    found = [":".join(page).removeprefix("j1/") for page in api.pages]
    api.pages.clear()
    return found


async def failure(provider: AbstractAsyncContextManager[Provider]) -> PollError:
    async with provider as opened:
        with pytest.raises(PollError) as caught:
            await opened.read("j1")
    return caught.value


async def test_calls_are_counted_by_status_from_both_lists(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    in_progress, odd = dials(2, "in-progress", first=5), dials(1, "warming-up", first=9)
    show(vogent, dials=[*dials(5), *in_progress, *odd], queue=queue(4))

    async with reader(vogent) as provider:
        reading = await provider.read("j1")

    assert reading.counts == {"completed": 5, "in-progress": 2, "warming-up": 1, "queued": 4}
    assert (reading.open_calls, reading.live_calls, reading.parked_calls) == (7, 3, 0)
    assert reading.unknown_call_statuses == ("warming-up",)
    assert (reading.total_contacts, reading.least_contacts) == (None, 12)
    assert (asked(vogent), provider.extra_requests) == (["dials:", "queue:"], 2)


@pytest.mark.parametrize(
    ("status", "number", "open_calls"),
    [
        ("completed", 1, 0),
        ("failed", 1, 0),
        ("canceled", 1, 0),
        ("cancelled", 1, 0),
        ("busy", 1, 0),
        ("no-answer", 1, 0),
        ("No_Answer", 1, 0),
        ("queued", 1, 1),
        ("ringing", 1, 1),
        ("in-progress", 1, 1),
        ("answered", 1, 1),
    ],
)
async def test_only_a_final_status_ends_a_call(
    vogent: SimulatedVogent, reader: Reader, status: str, number: int, open_calls: int
) -> None:
    show(vogent, dials=dials(number, status))

    async with reader(vogent) as provider:
        reading = await provider.read("j1")

    assert (reading.counts, reading.open_calls) == ({status: number}, open_calls)


async def test_an_id_counts_once_and_a_dial_goes_before_the_queue(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    show(vogent, dials=[*dials(3), *dials(1, "busy")], queue=[*queue(2), {"id": "d1"}])

    async with reader(vogent) as provider:
        reading = await provider.read("j1")

    assert reading.counts == {"busy": 1, "completed": 2, "queued": 2}


async def test_calls_on_their_way_are_in_neither_list_and_only_missing_for_once(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    show(vogent, dials=dials(3), queue=queue(5))
    async with reader(vogent) as provider:
        before = await provider.read("j1")
        show(vogent, dials=dials(3), queue=queue(2))
        between = await provider.read("j1", known(before))

    assert (before.least_contacts, between.least_contacts) == (8, 5)
    assert between.total_contacts is None  # nobody says that there are fewer


@pytest.mark.parametrize(
    ("status", "before", "requests"),
    [
        ("INIT", None, 0),
        ("RESTING", None, 2),
        ("ACTIVE", None, 2),
        ("PAUSED", None, 2),
        ("COMPLETE", None, 2),
        ("CANCELLED", None, 2),
        ("COMPLETE", Phase.RUNNING, 2),
        ("COMPLETE", Phase.ENDED, 0),
        ("ACTIVE", Phase.ENDED, 2),
    ],
)
async def test_a_job_is_counted_from_its_start_until_it_has_settled(
    vogent: SimulatedVogent,
    reader: Reader,
    status: str,
    before: Phase | None,
    requests: int,
) -> None:
    show(vogent, dials=dials(1), status=status)
    came_before = None
    if before is not None:
        reading = Reading(status="", phase=before)
        came_before = known(reading, settled=before is Phase.ENDED)

    async with reader(vogent) as provider:
        reading = await provider.read("j1", came_before)

    assert len(asked(vogent)) == provider.extra_requests == requests
    assert reading.counts == ({"completed": 1} if requests else None)
    assert reading.counted


async def test_only_the_queue_tells_how_many_were_dialled(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    async with reader(vogent, api_key=KEY, counts="queue") as provider:
        show(vogent, dials=dials(3), queue=queue(5))
        first = await provider.read("j1")
        show(vogent, queue=queue(2))
        second = await provider.read("j1", known(first))
        show(vogent, status="COMPLETE")
        last = await provider.read("j1", known(second))

    assert [(r.counts, r.open_calls, r.least_contacts) for r in (first, second, last)] == [
        ({"queued": 5}, 5, 5),
        ({"queued": 2, "dialled": 3}, 2, 5),
        ({"dialled": 5}, 0, 5),
    ]
    assert asked(vogent) == ["queue:"] * 3


async def test_an_account_that_does_not_count_says_so(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    show(vogent, dials=dials(3))

    async with reader(vogent, api_key=KEY, counts="off") as provider:
        reading = await provider.read("j1")

    assert (reading.counts, reading.counted, asked(vogent)) == (None, False, [])


async def test_ended_pages_at_the_beginning_are_not_read_again(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    async with reader(vogent) as provider:
        show(vogent, dials=[*dials(350), *dials(20, "ringing", first=350)])
        first = await provider.read("j1")
        pages = asked(vogent)
        show(vogent, dials=[*dials(410), *dials(20, "ringing", first=410)])
        second = await provider.read("j1", known(first))

    assert pages == ["dials:", "dials:100", "dials:200", "dials:300", "queue:"]
    assert asked(vogent) == ["dials:", "dials:300", "dials:400", "queue:"]
    assert second.counts == {"completed": 410, "ringing": 20}


async def test_a_long_job_costs_few_pages_a_poll_in_the_order_of_its_dials(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    vogent.paging.transcript_bytes = 0
    async with reader(vogent) as provider:
        show(vogent, dials=dials(10_000), queue=queue(1))
        reading = await provider.read("j1")
        asked(vogent)
        for _ in range(3):
            reading = await provider.read("j1", known(reading))

    assert len(asked(vogent)) == 3 * 3
    assert reading.counts == {"completed": 10_000, "queued": 1}


@pytest.mark.parametrize("status", ["PAUSED", "COMPLETE"])
async def test_a_new_phase_is_counted_from_the_first_page(
    vogent: SimulatedVogent, reader: Reader, status: str
) -> None:
    async with reader(vogent) as provider:
        show(vogent, dials=dials(350))
        reading = await provider.read("j1")
        asked(vogent)
        show(vogent, dials=[*dials(300), *dials(50, "busy", first=300)], status=status)
        reading = await provider.read("j1", known(reading))

    assert asked(vogent) == ["dials:", "dials:100", "dials:200", "dials:300", "queue:"]
    assert reading.counts == {"completed": 300, "busy": 50}


async def test_an_end_is_confirmed_by_all_pages(vogent: SimulatedVogent, reader: Reader) -> None:
    async with reader(vogent) as provider:
        show(vogent, dials=dials(250), status="COMPLETE")
        reading = await provider.read("j1")
        asked(vogent)
        await provider.read("j1", known(reading))

    assert len(asked(vogent)) == 4


async def test_all_is_read_every_so_often(vogent: SimulatedVogent, reader: Reader) -> None:
    async with reader(vogent) as provider:
        show(vogent, dials=dials(250))
        reading = await provider.read("j1")
        asked(vogent)
        costs = []
        for _ in range(vogent_census.WHOLE_EVERY):
            reading = await provider.read("j1", known(reading))
            costs.append(len(asked(vogent)))

    assert costs == [3] * (vogent_census.WHOLE_EVERY - 1) + [4]


async def test_a_list_that_grows_at_its_front_is_read_whole(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    vogent.paging.newest_first = True
    async with reader(vogent) as provider:
        counted = []
        came_before = None
        for number in (350, 360, 370):
            show(vogent, dials=dials(number))
            reading = await provider.read("j1", came_before)
            came_before = known(reading)
            counted.append(reading.counts)

    assert counted == [{"completed": 350}, {"completed": 360}, {"completed": 370}]
    assert len(asked(vogent)) == 3 * 5


async def test_rows_that_come_again_on_the_next_page_count_once(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    vogent.paging.overlap = 3
    async with reader(vogent) as provider:
        show(vogent, dials=dials(250), queue=queue(150))
        first = await provider.read("j1")
        asked(vogent)
        second = await provider.read("j1", known(first))

    assert first.counts == second.counts == {"completed": 250, "queued": 150}
    assert len(asked(vogent)) == 5  # nothing is skipped where rows move


async def test_a_list_that_must_be_read_whole_gets_a_rest(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    vogent.paging.newest_first = True
    show(vogent, dials=[*dials(1050), *dials(1, "ringing", first=1050)])

    async with reader(vogent) as provider:
        reading = await provider.read("j1")
        pages = len(asked(vogent))
        soon = await provider.read("j1", known(reading))
        pages_soon = len(asked(vogent))
        show(vogent, dials=dials(1051), status="COMPLETE")
        ended = await provider.read("j1", known(reading))

    assert (pages, pages_soon) == (12, 0)
    assert (soon.phase, soon.counts) == (Phase.RUNNING, None)
    assert (soon.counted, reading.counted) == (False, True)  # else it would seem to stand still
    assert ended.counts == {"completed": 1051}


async def test_after_the_rest_it_is_counted_again(
    vogent: SimulatedVogent, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vogent_census, "REST", 0.0)
    show(vogent, queue=queue(1050))

    async with reader(vogent) as provider:
        reading = await provider.read("j1")
        again = await provider.read("j1", known(reading))

    assert again.counts == reading.counts == {"queued": 1050}


async def test_a_job_of_too_many_pages_is_counted_over_several_polls(
    vogent: SimulatedVogent, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vogent_census, "PAGES_LIMIT", 4)
    show(vogent, dials=dials(750), queue=queue(1))

    async with reader(vogent) as provider:
        reading = await provider.read("j1")
        readings = [reading]
        for _ in range(2):
            reading = await provider.read("j1", known(reading))
            readings.append(reading)

    counted = {"completed": 750, "queued": 1}
    assert [r.counts for r in readings] == [None, None, counted]


async def test_a_job_of_too_many_calls_is_not_counted(
    vogent: SimulatedVogent, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vogent_census, "ROWS_LIMIT", 200)
    async with reader(vogent) as provider:
        show(vogent, dials=dials(201))
        reading = await provider.read("j1")

    assert (reading.counts, reading.least_contacts, reading.counted) == (None, None, False)


async def test_no_page_is_asked_for_when_the_time_is_up() -> None:
    async def fetch(*_: object) -> Page:
        raise AssertionError

    census = vogent_census.Census(fetch, dials=True, rate=1.0)

    with pytest.raises(PollError) as caught:
        await census.take("j1", until=0.0, decisive=True)

    assert caught.value.kind is FailureKind.TOO_LARGE


def test_pages_are_asked_for_as_fast_as_the_rate_allows() -> None:
    asked: list[float] = []

    async def fetch(*_: object) -> Page:
        asked.append(asyncio.get_running_loop().time())
        return Page(rows={}, cursor=str(len(asked)))

    async def take_six() -> list[object]:
        takes = (census.take(f"j{n}", until=1.0, decisive=True) for n in range(6))
        return await asyncio.gather(*takes, return_exceptions=True)

    census = vogent_census.Census(fetch, dials=True, rate=20.0)
    census._spending._free_at = 0.0  # its burst is spent
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        results = runner.run(take_six())

    assert all(isinstance(result, PollError) for result in results)
    assert asked == pytest.approx([turn / 20 for turn in range(20)])


@pytest.mark.parametrize("listing", ["dials", "queue"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.status(400), FailureKind.REFUSED),
        (Fault.not_found(), FailureKind.NOT_FOUND),
        (Fault.server_error(), FailureKind.SERVER_ERROR),
        (Fault.redirect("/"), FailureKind.REDIRECT),
        (Fault.reset(), FailureKind.DISCONNECTED),
        (Fault.black_hole(), FailureKind.TIMEOUT),
        (Fault.html(), FailureKind.INVALID_BODY),
        (Fault.empty(), FailureKind.INVALID_BODY),
        (Fault.array(), FailureKind.INVALID_BODY),
        (Fault.truncated(), FailureKind.INVALID_BODY),
        (
            Fault.body(b'{"data": [{"id": 1', headers={"Content-Encoding": "br"}),
            FailureKind.ENCODING,
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_list_that_cannot_be_read_costs_the_counts_not_the_reading(
    vogent: SimulatedVogent, reader: Reader, listing: str, fault: Fault, kind: FailureKind
) -> None:
    show(vogent, dials=dials(3), queue=queue(3))
    vogent.fault(fault, batch=f"j1/{listing}")

    async with reader(vogent, deadline=SHORT if kind is FailureKind.TIMEOUT else HANG) as provider:
        reading = await read_patiently(provider, "j1")

    assert reading.status == "ACTIVE"
    assert (reading.counts, reading.counted, reading.uncounted) == (None, False, kind)


@pytest.mark.parametrize("listing", ["dials", "queue"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.unauthorized(), FailureKind.UNAUTHORIZED),
        (Fault.rate_limited(7), FailureKind.RATE_LIMITED),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_list_that_speaks_of_the_account_fails_the_poll(
    vogent: SimulatedVogent, reader: Reader, listing: str, fault: Fault, kind: FailureKind
) -> None:
    show(vogent, dials=dials(3), queue=queue(3))
    vogent.fault(fault, batch=f"j1/{listing}")

    error = await failure(reader(vogent))

    assert error.kind is kind


async def test_a_list_that_cannot_be_read_is_tried_once_more_and_then_gets_a_rest(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    pages = []
    async with reader(vogent) as provider:
        show(vogent, dials=dials(3))
        vogent.fault(Fault.not_found(), batch="j1/dials")
        reading = await provider.read("j1")
        for _ in range(3):
            asked(vogent)
            reading = await provider.read("j1", known(reading))
            pages.append(asked(vogent))
        show(vogent, status="COMPLETE", dials=dials(3))
        await provider.read("j1", known(reading))

    assert pages == [["dials:"], [], []]
    assert asked(vogent) == ["dials:"]


@pytest.mark.parametrize("counts", ["full", "queue"])
async def test_who_is_left_in_the_queue_when_a_job_has_ended_is_never_dialled(
    vogent: SimulatedVogent, reader: Reader, counts: str
) -> None:
    async with reader(vogent, api_key=KEY, counts=counts) as provider:
        show(vogent, dials=dials(3), queue=queue(5))
        running = await provider.read("j1")
        show(vogent, status="CANCELLED", dials=dials(3), queue=queue(5))
        ended = await provider.read("j1", known(running))
        again = await provider.read("j1", known(ended))

    assert ended.counts is not None
    assert again.counts is not None
    assert (ended.counts["queued"], ended.open_calls) == (5, 5)
    assert (again.counts["undialled"], again.open_calls) == (5, 0)
    assert again.least_contacts == (8 if counts == "full" else 5)


async def test_a_dial_whose_status_is_not_told_is_open(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    show(vogent, dials=[*dials(3), {"id": "d9"}])

    async with reader(vogent) as provider:
        reading = await provider.read("j1")

    assert reading.counts == {"completed": 3, "unknown": 1}
    assert reading.open_calls == 1


async def test_after_a_failure_all_is_read_again(
    vogent: SimulatedVogent, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vogent_census, "REFUSED_REST", 0.0)
    async with reader(vogent) as provider:
        show(vogent, dials=dials(250))
        reading = await provider.read("j1")
        vogent.fault(Fault.server_error(), batch="j1/queue", times=1)
        failed = await provider.read("j1", known(reading))
        asked(vogent)
        await provider.read("j1", known(reading))

    assert failed.uncounted is FailureKind.SERVER_ERROR
    assert asked(vogent) == ["dials:", "dials:100", "dials:200", "queue:"]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("overlap", [0, 3])
async def test_over_a_whole_life_each_count_is_what_the_lists_show(
    vogent: SimulatedVogent,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    newest_first: bool,
    overlap: int,
) -> None:
    monkeypatch.setattr(vogent_census, "REST", 0.0)
    vogent.paging = Paging(most_rows=20, newest_first=newest_first, overlap=overlap)
    life = vogent.put("j1", vogent_life("j1", contacts=150, pauses=2, seed=7))
    reading, came_before = Reading(status="INIT", phase=Phase.PENDING), None

    async with reader(vogent) as provider:
        for shown in life.steps[1:]:
            life.advance()
            reading = await provider.read("j1", came_before)
            came_before = known(reading)
            rows = chain(*shown.lists.values())
            assert reading.counts == Counter(row.get("status", "queued") for row in rows)

    assert (reading.phase, reading.open_calls, reading.least_contacts) == (Phase.ENDED, 0, 150)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Hold the key, for tests that rotate it."""
    file = tmp_path / "key"
    file.write_text(KEY, encoding="utf-8")
    return file


def rotate(api: SimulatedVogent, key_file: Path) -> None:
    api.key = "the next key"
    key_file.write_text(api.key, encoding="utf-8")


async def test_a_key_that_is_rotated_between_two_pages_is_read_anew(
    vogent: SimulatedVogent, reader: Reader, key_file: Path
) -> None:
    show(vogent, dials=dials(3))
    vogent.record.listen(lambda _: rotate(vogent, key_file))

    async with reader(vogent, api_key_file=str(key_file)) as provider:
        reading = await provider.read("j1")

    assert reading.counts == {"completed": 3}


async def read_patiently(provider: Provider, job: str) -> Reading:
    """Read a job by short deadlines, which on a busy machine its own document may miss."""
    for _ in range(100):
        try:
            return await provider.read(job)
        except PollError as error:
            if error.kind is not FailureKind.TIMEOUT:
                raise
    raise AssertionError("its document never came in time")


async def test_a_reading_ends_within_two_deadlines(
    vogent: SimulatedVogent, reader: Reader, key_file: Path
) -> None:
    async def refuse(*_: object) -> web.StreamResponse:
        rotate(vogent, key_file)  # makes it ask once more
        await asyncio.sleep(0.3)
        return web.Response(status=401)

    async def show_slowly(_: web.BaseRequest, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return web.Response(body=body)

    show(vogent, dials=dials(3))
    vogent.fault(Fault("slow", show_slowly), batch="j1")
    vogent.fault(Fault("slow_refusal", refuse), batch="j1/dials")

    async with reader(vogent, deadline=0.4, api_key_file=str(key_file)) as provider:
        reading = await read_patiently(provider, "j1")

    assert reading.uncounted is FailureKind.TIMEOUT


async def test_a_cursor_that_comes_back_costs_the_counts(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    vogent.paging.repeats_cursor = True
    show(vogent, dials=dials(250))

    async with reader(vogent) as provider:
        reading = await provider.read("j1")

    assert reading.uncounted is FailureKind.INVALID_BODY
    assert asked(vogent) == ["dials:", "dials:100"]


async def test_more_words_than_we_keep_cost_the_counts(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    show(vogent, dials=[{"id": f"d{n}", "status": f"word {n}"} for n in range(33)])

    async with reader(vogent) as provider:
        reading = await provider.read("j1")

    assert reading.uncounted is FailureKind.INVALID_BODY


async def test_a_server_that_sends_fewer_rows_than_asked_for_is_paged_all_the_same(
    vogent: SimulatedVogent, reader: Reader
) -> None:
    vogent.paging.most_rows = 40
    show(vogent, dials=dials(90), queue=queue(41))

    async with reader(vogent) as provider:
        reading = await provider.read("j1")

    assert reading.counts == {"completed": 90, "queued": 41}


async def test_transcripts_are_never_held(vogent: SimulatedVogent, reader: Reader) -> None:
    vogent.paging.transcript_bytes = 64 * 1024
    show(vogent, dials=dials(1000))

    async with reader(vogent, deadline=HANG) as provider:
        tracemalloc.start()
        try:
            reading = await provider.read("j1")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert reading.counts == {"completed": 1000}
    assert peak < 16 * 1024 * 1024
