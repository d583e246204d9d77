from monitor.demo.cast import LIVED, cast
from monitor.demo.stage import Curtain


def words(seconds: float) -> list[set[str]]:
    """Return all statuses that each batch shows."""
    roles = cast(seconds=seconds, clock=Curtain().elapsed)
    return [{step.document["status"] for step in role.life.steps} for role in roles]


def test_the_same_seed_gives_the_same_lives() -> None:
    first, second = (cast(seconds=30, clock=Curtain().elapsed) for _ in range(2))

    assert [role.life.steps for role in first] == [role.life.steps for role in second]


def test_both_providers_both_generations_and_every_end_are_there() -> None:
    shown = set().union(*words(30))

    assert {"executed", "running", "completed", "failed", "COMPLETE", "CANCELLED"} <= shown


def test_every_life_is_over_well_before_the_end() -> None:
    now = [0.0]
    roles = cast(seconds=30, clock=lambda: now[0])
    before = [role.life.over for role in roles]

    now[0] = 30 * LIVED

    assert not any(before)
    assert all(role.life.over for role in roles)


def test_one_batch_is_to_be_lost_and_lives_as_long_as_any() -> None:
    lost = [role for role in cast(seconds=30, clock=Curtain().elapsed) if role.faulted]

    assert [round(sum(step.lasts for step in role.life.steps), 6) for role in lost] == [30 * LIVED]
