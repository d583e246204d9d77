import pytest

from monitor.simulator.story import cut_off, dial, retried, seeded

FINAL = {"completed", "no-answer", "busy", "failed"}


@pytest.mark.parametrize("seed", range(20))
def test_dialling_loses_no_call_and_ends_with_all_of_them_final(seed: int) -> None:
    course = list(dial({"queued": 30}, seeded(seed)))

    assert all(sum(calls.values()) == 30 for calls in course)
    assert course[-1].keys() <= FINAL
    assert all(0 not in calls.values() for calls in course)


def test_the_same_seed_tells_the_same_story() -> None:
    first, second, other = (list(dial({"queued": 30}, seeded(seed))) for seed in (1, 1, 2))

    assert first == second
    assert first != other


def test_a_retry_puts_the_calls_that_reached_nobody_back() -> None:
    calls = {"completed": 3, "busy": 1, "no-answer": 2, "failed": 1}

    assert retried(calls) == {"completed": 3, "scheduled": 4}
    assert retried({"completed": 3}) == {"completed": 3}


def test_a_batch_that_is_cut_off_has_no_open_call() -> None:
    calls = {"completed": 3, "queued": 2, "ringing": 1}

    assert cut_off(calls, "stopped") == {"completed": 3, "stopped": 3}
    assert cut_off({"completed": 3}, "stopped") == {"completed": 3}
