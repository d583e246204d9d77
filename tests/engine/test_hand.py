from datetime import UTC, datetime, timedelta

from monitor.engine.hand import LARGEST, Hand

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=2)


def drawn(hand: Hand[int]) -> list[int]:
    found = []
    while (claim := hand.draw()) is not None:
        found.append(claim)
    return found


def paced(ended: int, seconds: float, *, least: int = 1) -> int:
    hand: Hand[int] = Hand(least=least)
    hand.measure(at=NOW)
    for _ in range(ended):
        hand.count_end()
    hand.measure(at=NOW + timedelta(seconds=seconds))
    return hand.size


def test_claims_are_drawn_in_their_order() -> None:
    hand: Hand[int] = Hand(least=1)
    hand.add([1, 2, 3], at=NOW)

    assert len(hand) == 3
    assert drawn(hand) == [1, 2, 3]


def test_it_holds_what_ends_between_two_claims_at_the_pace_of_late() -> None:
    assert paced(30, 0.1) == 60
    assert paced(150, 0.5) == 300


def test_it_holds_no_more_than_a_second_takes() -> None:
    assert paced(60, 10) == 6


def test_it_holds_the_least_at_least_and_no_more_than_a_group() -> None:
    assert Hand[int](least=1).size == 1
    assert paced(0, 1) == 1
    assert paced(3, 10, least=0) == 0
    assert paced(9000, 1) == LARGEST


def test_two_claims_at_one_moment_leave_the_size_as_it_is() -> None:
    assert paced(10, 0) == 1


def test_what_waited_too_long_is_dropped_and_what_came_later_is_not() -> None:
    hand: Hand[int] = Hand(least=1)
    hand.add([1, 2], at=NOW)
    hand.add([3], at=NOW + PATIENCE)

    assert hand.drop_stale(at=NOW, patience=PATIENCE) == []
    assert hand.drop_stale(at=NOW + PATIENCE, patience=PATIENCE) == [1, 2]
    assert (hand.first, drawn(hand)) == (3, [3])


def test_what_is_dropped_is_not_begun() -> None:
    hand: Hand[int] = Hand(least=1)
    hand.add([1], at=NOW)

    assert hand.drop() == [1]
    assert drawn(hand) == []
