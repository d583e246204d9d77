import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rich.console import Console

from monitor.core.delivery import DeliveryState
from monitor.demo.moment import RUNNING, Line, Moment
from monitor.demo.presenter import Lines

PENDING = Line(
    id="evt_A",
    at=datetime(2026, 1, 29, 8, 31, 2, 114000, UTC),
    type="batch.first_seen",
    source="bolna",
    name="a\x1b[2J.csv",
    what="created",
    state=DeliveryState.PENDING,
)
VERIFIED = replace(PENDING, state=DeliveryState.DELIVERED, latency=timedelta(milliseconds=12))
TOLD = (
    "2026-01-29T08:31:02.114Z  batch.first_seen  bolna  a\ufffd[2J.csv  created  verified in 12 ms"
)


def moment(*lines: Line) -> Moment:
    """Return a moment with these lines."""
    return Moment(doing=RUNNING, elapsed=1.0, seconds=5.0, lines=lines)


def test_an_event_is_written_once_when_it_is_verified() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=20))

    lines.show(moment(PENDING))
    before = out.getvalue()
    lines.show(moment(VERIFIED))
    lines.show(moment(VERIFIED, replace(PENDING, id="evt_B")))

    assert before == "monitor demo: all is running\n"
    assert out.getvalue().removeprefix(before) == f"{TOLD}\n"
