import pytest

from monitor.simulator.lives import Life, spread, step
from monitor.simulator.story import seeded


class HandClock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def statuses(*words: str) -> list[dict[str, str]]:
    return [{"status": word} for word in words]


def test_a_life_without_a_clock_goes_on_by_hand_and_stays_at_its_end() -> None:
    life = Life([step(document) for document in statuses("a", "b", "c")])

    assert (life.current.document, life.over) == ({"status": "a"}, False)
    assert life.advance().document == {"status": "b"}
    assert life.advance(5).document == {"status": "c"}
    assert life.over


def test_a_life_with_a_clock_shows_each_step_for_its_time() -> None:
    clock = HandClock()
    life = Life([step({"n": n}, lasts=10) for n in range(3)], clock=clock)
    shown = []

    for seconds in (0, 9.9, 10, 19.9, 20, 1e9):
        clock.seconds = 100 + seconds
        shown.append(life.current.document["n"])

    assert shown == [0, 0, 1, 1, 2, 2]


def test_advancing_goes_ahead_of_the_clock_which_never_goes_back() -> None:
    clock = HandClock()
    life = Life([step({"n": n}, lasts=10) for n in range(4)], clock=clock)

    assert life.advance(2).document == {"n": 2}
    clock.seconds += 15
    assert life.index == 2
    clock.seconds += 15
    assert life.index == 3


def test_bytes_are_shown_as_they_are() -> None:
    assert Life([step(b"<html>")]).current.body == b"<html>"


def test_a_life_needs_a_step() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        Life([])


def test_spread_steps_fill_the_time_and_the_last_one_has_no_end() -> None:
    steps = spread(statuses("a", "b", "c", "d"), seconds=30, dice=seeded(1))

    assert sum(s.lasts for s in steps) == pytest.approx(30)
    assert steps[-1].lasts == 0
    assert all(s.lasts > 0 for s in steps[:-1])


def test_a_single_document_is_shown_for_ever() -> None:
    assert [s.lasts for s in spread(statuses("a"), seconds=30, dice=seeded(1))] == [0]
