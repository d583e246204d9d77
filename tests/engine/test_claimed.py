from datetime import UTC, datetime, timedelta

from monitor.engine.claimed import LARGEST, ClaimedAhead

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=2)


def drawn(ahead: ClaimedAhead[int]) -> list[int]:
    found = []
    while (claim := ahead.draw()) is not None:
        found.append(claim)
    return found


def paced(ended: int, seconds: float, *, least: int = 1) -> int:
    ahead: ClaimedAhead[int] = ClaimedAhead(least=least)
    ahead.measure(at=NOW)
    for _ in range(ended):
        ahead.count_end()
    ahead.measure(at=NOW + timedelta(seconds=seconds))
    return ahead.size


def test_claims_are_drawn_in_their_order() -> None:
    ahead: ClaimedAhead[int] = ClaimedAhead(least=1)
    ahead.add([1, 2, 3], at=NOW)

    assert len(ahead) == 3
    assert drawn(ahead) == [1, 2, 3]


def test_it_holds_what_ends_between_two_claims_at_the_pace_of_late() -> None:
    assert paced(30, 0.1) == 60
    assert paced(150, 0.5) == 300


def test_it_holds_no_more_than_a_second_takes() -> None:
    assert paced(60, 10) == 6


def test_it_holds_the_least_at_least_and_no_more_than_a_group() -> None:
    assert ClaimedAhead[int](least=1).size == 1
    assert paced(0, 1) == 1
    assert paced(3, 10, least=0) == 0
    assert paced(9000, 1) == LARGEST


def test_two_claims_at_one_moment_leave_the_size_as_it_is() -> None:
    assert paced(10, 0) == 1


def test_what_waited_too_long_is_dropped_and_what_came_later_is_not() -> None:
    ahead: ClaimedAhead[int] = ClaimedAhead(least=1)
    ahead.add([1, 2], at=NOW)
    ahead.add([3], at=NOW + PATIENCE)

    assert ahead.drop_stale(at=NOW, patience=PATIENCE) == []
    assert ahead.drop_stale(at=NOW + PATIENCE, patience=PATIENCE) == [1, 2]
    assert (ahead.first, drawn(ahead)) == (3, [3])


def test_what_is_dropped_is_not_begun() -> None:
    ahead: ClaimedAhead[int] = ClaimedAhead(least=1)
    ahead.add([1], at=NOW)

    assert ahead.drop() == [1]
    assert drawn(ahead) == []
