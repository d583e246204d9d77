import pytest

from tests.faults.figures import Figures
from tests.faults.simulation.seeds import judge, seeds


@pytest.mark.skipif(not seeds(odd=False), reason="only odd seeds are named")
def test_a_day_of_faults_loses_nothing_and_keeps_every_promise_even_seeds(figures: Figures) -> None:
    judge(seeds(odd=False), figures)
