from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lives.dice import Life
from tests.lives.mistakes import MISTAKES, Mistake, planted
from tests.lives.script import Player, read_scripts

LIVES = 25
"""Random ones that are played before the written ones."""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_in_observation_is_noticed(mistake: Mistake) -> None:
    with planted(mistake):
        noticed = any(_differences())

    assert noticed


def _differences() -> Iterator[bool]:
    """Play random and written lives until one is told otherwise than it should."""
    for seed in range(LIVES):
        yield Life(seed).play() is not None
    for path in sorted(Path(__file__).parent.glob("*.md")):
        for script in read_scripts(path):
            yield tuple(Player(script).play()) != script.rows
