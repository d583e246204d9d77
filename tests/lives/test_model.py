import pytest

from tests.lives.dice import Life

GROUPS, LIVES = 10, 100


@pytest.mark.parametrize("group", range(GROUPS))
def test_random_lives_are_told_as_the_model_says(group: int) -> None:
    for seed in range(group * LIVES, (group + 1) * LIVES):
        difference = Life(seed).play()

        assert difference is None, f"Life({seed}).play() from tests.lives.dice:\n{difference}"
