import os
import subprocess
import sys

import pytest

from tests.faults.figures import Figures
from tests.faults.simulation.seeds import judge, seeds
from tests.faults.simulation.world import live


def test_a_seed_is_replayed_exactly_in_another_process() -> None:
    """Every call, send, commit and line of the log at the same instant, whatever hashes strings."""
    seed = 1
    other = {
        **os.environ,
        "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2",
    }

    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.simulation", str(seed)],
        env=other, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        here = live(seed)
        there, _ = process.communicate(timeout=300)

    assert process.returncode == 0
    assert there.decode() == "\n".join([*here.trace, str(here), ""])


@pytest.mark.skipif(not seeds(odd=True), reason="only even seeds are named")
def test_a_day_of_faults_loses_nothing_and_keeps_every_promise_odd_seeds(figures: Figures) -> None:
    judge(seeds(odd=True), figures)
