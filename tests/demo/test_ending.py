from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.demo.ending import Ending
from monitor.demo.moment import RUNNING, Moment, Tally

WHOLE = Tally(polls=1_240, events=184, delivered=184, verified=184)


def ending(
    tally: Tally = WHOLE, *, missing: Sequence[str] = (), interrupted: bool = False
) -> Ending:
    """Return the end of a show."""
    moment = Moment(doing=RUNNING, elapsed=60.0, seconds=60.0, tally=tally)
    return Ending(moment=moment, missing=missing, interrupted=interrupted)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_whole_one_is_well_and_fits_80_columns(interrupted: bool) -> None:
    tally = replace(WHOLE, median_latency=timedelta(milliseconds=9))

    told = list(ending(tally, interrupted=interrupted).lines())

    assert ending(tally).well
    assert max(map(len, told)) <= 80
    assert "  polls             1,240" in told
    assert "  median latency     9 ms" in told
    assert ("until you ended it" in told[0]) is interrupted


@pytest.mark.parametrize(
    "bad",
    [
        ending(missing=["bolna a.csv: batch.completed"]),
        ending(replace(WHOLE, gaps=1)),
        ending(replace(WHOLE, bad_signatures=1)),
    ],
)
def test_what_is_missing_broken_or_unsigned_is_not_well(bad: Ending) -> None:
    assert not bad.well
    assert "not all that was served" in next(bad.lines())


def test_a_duplicate_is_allowed() -> None:
    assert ending(replace(WHOLE, duplicates=1)).well


def test_what_is_missing_is_named() -> None:
    told = list(ending(missing=["bolna a.csv: batch.completed"]).lines())

    assert "  missing               1" in told
    assert "  missing: bolna a.csv: batch.completed" in told
