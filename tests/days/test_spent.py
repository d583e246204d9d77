import sys
from datetime import timedelta

from tests.days.part import clock
from tests.days.spent import DAY, PACE, Spent, for_tomorrow, spend, typical_day

POLLS_PER_CPU_SECOND = 1000
"""Of the whole daemon: a third of what the benchmark measures."""


def told(spent: Spent, *, lasts: timedelta) -> None:
    sys.stdout.write("\n".join(["", *spent.lines(lasts=lasts), ""]))


def test_a_typical_day_costs_a_fifth_of_polling_at_the_interval_and_is_told_as_soon() -> None:
    spent = spend(typical_day(), begins_at=clock(0), lasts=DAY)

    told(spent, lasts=DAY)
    assert sum(spent.batches.values()) == 200
    assert spent.total * 5 <= 200 * (DAY / PACE.interval)
    assert spent.lateness <= PACE.interval * 1.1


def test_a_thousand_batches_pending_for_tomorrow_cost_almost_nothing() -> None:
    hour = timedelta(hours=1)

    spent = spend(map(for_tomorrow, range(1000)), begins_at=clock(0), lasts=hour)

    told(spent, lasts=hour)
    share = spent.total / hour.total_seconds() / POLLS_PER_CPU_SECOND
    sys.stdout.write(f"{share:9.2%} of one CPU\n")
    assert spent.total <= 1000 * (hour / PACE.idle_interval) * 1.02
    assert share < 0.005
