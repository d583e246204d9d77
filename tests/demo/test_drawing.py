import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from monitor.core.batch import Batch, Failures, Knowledge, Outcome, Phase, Watch
from monitor.core.delivery import DeliveryState
from monitor.demo.drawing import draw
from monitor.demo.moment import RUNNING, Line, Moment, Totals

NOW = datetime(2026, 1, 29, 8, 31, 2, tzinfo=UTC)
SIZES = [(80, 24), (160, 50), (60, 15), (200, 60), (40, 10), (12, 3), (1, 1)]
HOSTILE = "a[/b][red]\x1b[2J\n\u202e東京" * 9


def watch(row: int, name: str = "renewals.csv", **known: object) -> Watch:
    """Return a batch as the database has it."""
    fields = {
        "status": "running",
        "phase": Phase.RUNNING,
        "outcome": None,
        "counts": {"completed": 30, "failed": 10, "ringing": 20, "queued": 40},
        "open_calls": 60,
        "total_contacts": 100,
        "valid_contacts": 100,
        "name": name,
        "scheduled_at": None,
        "changed_at": NOW,
        "phase_since": NOW,
        "started_at": NOW,
    }
    batch = Batch(row=row, source="bolna", id=f"id-{row}", key="k")
    return Watch(batch=batch, known=Knowledge(**{**fields, **known}))  # type: ignore[arg-type] # a factory's


def line(number: int, name: str = "renewals.csv", **fields: object) -> Line:
    """Return one event."""
    plain = Line(
        id=f"evt_{number}",
        at=NOW,
        type="batch.counts_changed",
        source="bolna",
        name=name,
        what=f"completed +{number}",
        state=DeliveryState.DELIVERED,
        latency=timedelta(milliseconds=12),
    )
    return replace(plain, **fields)  # type: ignore[arg-type] # a factory's


def moment(name: str = "renewals.csv", watches: Sequence[Watch] = ()) -> Moment:
    """Return a moment with ten batches and more events than any screen has rows."""
    return Moment(
        doing=RUNNING,
        elapsed=20.0,
        seconds=60.0,
        watches=watches or [watch(row, name) for row in range(10)],
        lines=[line(number, name) for number in range(100)],
        totals=Totals(polls_per_second=20.4, events=100, delivered=99, verified=98),
    )


def rows(shown: Moment, width: int, height: int) -> list[str]:
    """Draw it as a terminal of this size would get it."""
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )
    with console.capture() as captured:
        console.print(draw(shown, width=width, height=height))
    return captured.get().splitlines()


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", ["renewals.csv", HOSTILE])
def test_it_fits_the_terminal_exactly(width: int, height: int, name: str) -> None:
    drawn = rows(moment(name), width, height)

    assert len(drawn) == height
    assert max(cell_len(row) for row in drawn) <= width


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_before_anything_is_known_it_fits_as_well(width: int, height: int) -> None:
    drawn = rows(Moment(doing="starting the daemon", elapsed=0.0, seconds=60.0), width, height)

    assert len(drawn) == height
    assert max(cell_len(row) for row in drawn) <= width


def test_names_are_drawn_as_text() -> None:
    drawn = "\n".join(rows(moment("[red]x[/b]\x1b]0;owned\x07.csv"), 160, 50))

    assert "[red]x[/b]\ufffd]0;" in drawn
    assert not {"\x1b", "\x07"} & set(drawn)


def test_what_has_no_room_is_counted_and_colours_are_explained_where_there_is() -> None:
    low, roomy = rows(moment(), 80, 12), rows(moment(), 80, 24)

    assert sum("40/100" in row for row in low) == 3
    assert low[4] == " +7 more".ljust(len(low[4]))
    assert (
        "▇ completed  ▇ busy  ▇ failed  ▇ stopped  ▅ in-progress  ▅ ringing  ▂ ahead" in roomy[11]
    )


def test_at_80_columns_it_tells_what_matters() -> None:
    drawn = "\n".join(rows(moment(), 80, 24))

    assert "renewals.csv       running" in drawn
    assert "40%  40/100" in drawn
    assert "counts_changed  renewals.csv       completed +99           ✓ 12 ms" in drawn
    assert "100 events  99 delivered  98 verified  0 duplicates  0 bad signatures" in drawn
    assert " 20 polls/s  ━" in drawn
    assert "0:40 left, Ctrl-C ends" in drawn


def test_a_wide_one_tells_each_count_and_the_whole_type() -> None:
    drawn = "\n".join(rows(moment(), 160, 50))

    assert "40/100    30 completed 10 failed 20 ringing" in drawn
    assert "batch.counts_changed" in drawn


def test_the_bar_shows_where_the_calls_stand() -> None:
    first = rows(moment(), 80, 24)[1]

    assert first.count("▇") == 6  # of 16: 40 of 100 are finished
    assert first.count("▅") == 3
    assert first.count("▂") == 7


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"counts": None, "total_contacts": None, "valid_contacts": None}, "not counted"),
        ({"phase": Phase.ENDED, "outcome": Outcome.FAILED, "settled_at": NOW}, "failed  "),
        ({"phase": Phase.ENDED, "outcome": Outcome.COMPLETED}, "completed…"),
        ({"counts": {}, "total_contacts": 0, "valid_contacts": 0}, "0/0"),
    ],
)
def test_each_standing_has_its_word(known: dict[str, object], said: str) -> None:
    drawn = rows(moment(watches=[watch(1, **known)]), 80, 24)  # type: ignore[arg-type] # a factory's

    assert said in drawn[1]


def test_an_unreachable_batch_says_so() -> None:
    lost = replace(watch(1), failures=Failures(unreachable_since=NOW))

    assert " unreachable " in rows(moment(watches=[lost]), 80, 24)[1]


def test_where_there_is_no_room_the_settled_ones_go_first() -> None:
    ended = {"phase": Phase.ENDED, "outcome": Outcome.COMPLETED, "settled_at": NOW}
    watches = [watch(row, f"ended-{row}", **ended) for row in range(5)]
    watches += [watch(row, f"live-{row}") for row in range(5, 10)]

    drawn = "\n".join(rows(moment(watches=watches), 80, 15))

    assert all(f"live-{row}" in drawn for row in range(5, 10))
    assert "ended" not in drawn


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"latency": None, "state": DeliveryState.PENDING}, "· pending"),
        ({"latency": None, "state": DeliveryState.DEAD}, "✗ dead"),
        ({"latency": timedelta(seconds=1.44)}, "✓ 1.4 s"),
    ],
)
def test_each_delivery_has_its_sign(fields: dict[str, object], said: str) -> None:
    shown = replace(moment(), lines=[line(1, **fields)])  # type: ignore[arg-type] # a factory's

    assert said in rows(shown, 80, 24)[13]


def test_before_and_after_the_show_it_says_what_goes_on() -> None:
    waiting = replace(moment(), doing="waiting for the last events")

    assert rows(waiting, 80, 24)[-1].endswith("waiting for the last events …")
