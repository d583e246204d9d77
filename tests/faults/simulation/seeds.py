"""The seeds of one run: some in CI, a thousand in the full harness, or those that are named."""

import os
from collections.abc import Sequence
from typing import Final

from tests.faults.figures import Figures, sized
from tests.faults.simulation.judge import Verdict
from tests.faults.simulation.world import live

VARIABLE: Final = "MONITOR_SEEDS"
"""Names the seeds to live through instead, as `7` or `0-39`."""
SEEDS: Final = sized(short=4, full=1000)


def seeds(*, odd: bool) -> list[int]:
    """Return the odd or the even ones: two test files share the work."""
    first, _, last = os.environ.get(VARIABLE, f"0-{SEEDS - 1}").partition("-")
    return [seed for seed in range(int(first), int(last or first) + 1) if seed % 2 == odd]


def judge(chosen: Sequence[int], figures: Figures) -> None:
    """Live through them; fail at the first that goes wrong."""
    verdicts: list[Verdict] = []
    for seed in chosen:
        verdicts.append(live(seed))
        if verdicts[-1].failures:
            break
    duplicates = sum(verdict.account.duplicates for verdict in verdicts)
    events = sum(verdict.account.events for verdict in verdicts)
    faults = sum(verdict.faults for verdict in verdicts)
    figures.add(
        "simulation, " + ("odd" if chosen[0] % 2 else "even") + " seeds",
        n=len(verdicts),
        unit="days",
        failures=sum(verdict.failures for verdict in verdicts),
        detail=f"{events:,} events, {faults:,} faults, {duplicates:,} duplicates",
    )
    assert not verdicts[-1].failures, verdicts[-1]
