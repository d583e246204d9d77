import tracemalloc
from statistics import median

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from tests.cpu import cpu_seconds
from tests.hostile.cases import REFUSED, Case, cases
from tests.hostile.encounter import CPU_SECONDS, meet, watched

UNUSABLE = {FailureKind.INVALID_BODY, FailureKind.EXPRESSION, FailureKind.TOO_LARGE}
MEMORY = 16 * 1024 * 1024

each = pytest.mark.parametrize("case", list(cases()), ids=str)


def test_there_are_more_than_a_hundred_files() -> None:
    assert sum(1 for _ in cases()) > 200


@each
def test_a_hostile_body_is_a_failed_poll_or_tells_nothing_new(case: Case) -> None:
    watch = watched(case.api)

    observation = meet(watch, case.api, case.body)

    assert observation.events == ()
    assert observation.snapshot is None
    if case.verdict == REFUSED:
        with pytest.raises(PollError) as caught:
            case.api.parse(case.body, case.api.batch_id)
        assert caught.value.kind in UNUSABLE
        assert observation.watch.known is watch.known
    else:
        assert observation.watch.failures.polls == 0


@each
def test_a_hostile_body_costs_little_time(case: Case) -> None:
    watch = watched(case.api)

    spent = [cpu_seconds(lambda: meet(watch, case.api, case.body)) for _ in range(3)]

    assert median(spent) <= CPU_SECONDS


@each
def test_a_hostile_body_costs_little_memory(case: Case) -> None:
    watch = watched(case.api)
    tracemalloc.start()
    try:
        meet(watch, case.api, case.body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak <= MEMORY
