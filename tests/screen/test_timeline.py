from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.batch import Phase
from monitor.screen.timeline import draw_timeline
from monitor.storage.batches.read import SnapshotView

NOW = datetime(2026, 1, 29, 8, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def snapshot(
    minutes: float,
    finished: int | None = None,
    left: int = 0,
    *,
    status: str = "running",
    phase: Phase = Phase.RUNNING,
    total: int | None = None,
) -> SnapshotView:
    counts: Mapping[str, int] | None = None
    if finished is not None:
        counts = {"completed": finished, "ringing": left}
    return SnapshotView(
        number=1,
        at=at(minutes),
        status=status,
        phase=phase,
        counts=counts,
        open_calls=left,
        total_contacts=total,
        valid_contacts=None,
    )


def drawn(*snapshots: SnapshotView, until: float, width: int = 33) -> list[str]:
    return [line.plain for line in draw_timeline(snapshots, until=at(until), width=width)]


def test_calls_finish_from_left_to_right_below_the_open_ones() -> None:
    points = (snapshot(0, 0, 12), snapshot(10, 6, 6), snapshot(20, 12, status="executed"))

    lines = drawn(*points, until=30)

    assert lines == [
        "12 ░░░░░░░░░░░░░░░░░░░███████████",
        "   ░░░░░░░░░░░░░░░░░░░███████████",
        "   ░░░░░░░░░░░░░░░░░░░███████████",
        "   ░░░░░░░░░█████████████████████",
        "   ░░░░░░░░░█████████████████████",
        "   ░░░░░░░░░█████████████████████",
        " 0 ┬───────────────────┬─────────",
        "   running             executed",
        "   2026-01-29 08:00:00 UTC",
    ]


def test_a_single_moment_is_a_single_column() -> None:
    lines = drawn(snapshot(0, 3, 3), until=0)

    assert lines[:7] == ["6 ░", "  ░", "  ░", "  █", "  █", "  █", "0 ┬"]


def test_a_single_snapshot_holds_until_now() -> None:
    lines = drawn(snapshot(0, 1, 0, total=1200), until=40)

    assert lines[0] == "1,200" + " " * 28
    assert lines[5] == "      " + "▁" * 27


def test_what_nobody_counted_is_a_dot_and_a_recount_goes_down() -> None:
    lines = drawn(snapshot(0), snapshot(10, 6, 6), snapshot(20, 3, 9), until=30)

    assert lines[0] == "12 " + " " * 9 + "░" * 21
    assert lines[3] == "   " + " " * 9 + "█" * 10 + "░" * 11
    assert lines[5] == "   " + "·" * 9 + "█" * 21


def test_500_snapshots_become_a_slope() -> None:
    points = [snapshot(number / 10, number, 500 - number) for number in range(500)]

    lines = drawn(*points, until=50)

    assert lines[0] == "500 ░░░░░░░░░░░░░░░░░░░░░░░░▁▃▅▆█"
    assert lines[5] == "    ▂▃▅▇█████████████████████████"


def test_a_long_wait_does_not_squash_what_comes_after_it() -> None:
    queued = snapshot(-6000, 0, 12, status="queued", phase=Phase.PENDING)

    lines = drawn(queued, snapshot(0, 0, 12), snapshot(20, 12, status="executed"), until=20)

    assert lines[6] == " 0 ┬─┬──────────────────────────┬"
    assert lines[7] == "     running             executed"


def test_calls_made_while_the_status_says_pending_are_part_of_the_course() -> None:
    waiting = snapshot(0, 0, 12, status="queued", phase=Phase.PENDING)
    calling = snapshot(2, 1, 11, status="queued", phase=Phase.PENDING)

    lines = drawn(waiting, calling, snapshot(19, 12), until=20)

    assert lines[-2] == "   queued                 running"
    assert lines[5] == "   ░░▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄██"


def test_without_counts_there_are_statuses_alone() -> None:
    lines = drawn(snapshot(0, status="INIT"), snapshot(20, status="ACTIVE"), until=40)

    assert lines[:2] == [" ┬───────────────┬───────────────", " INIT            ACTIVE"]


def test_without_counts_or_changes_there_is_nothing_to_draw() -> None:
    assert drawn(snapshot(0), snapshot(10), until=30) == []


@pytest.mark.parametrize("width", [80, 170])
def test_it_fills_the_width_and_ends_with_the_time_it_reaches(width: int) -> None:
    lines = drawn(snapshot(0, 0, 12), snapshot(10, 6, 6), until=30, width=width)

    assert {len(line) for line in lines[:7]} == {width}
    assert lines[-1].strip().startswith("2026-01-29 08:00:00 UTC")
    assert lines[-1].endswith("2026-01-29 08:30:00 UTC")
    assert max(len(line) for line in lines) == width


def test_a_status_cannot_steer_the_terminal() -> None:
    lines = drawn(snapshot(0, 0, 1, status="\x1b[31mred"), until=10)

    assert "\x1b" not in "".join(lines)
