from pathlib import Path

import pytest

from tests.lives.script import Player, Row, Script, read_scripts

SCRIPTS = [
    pytest.param(script, id=f"{path.stem}: {script.title}")
    for path in sorted(Path(__file__).parent.glob("*.md"))
    for script in read_scripts(path)
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_life_is_told_as_it_is_written(script: Script) -> None:
    told = list(Player(script).play())

    assert _lines(told) == _lines(script.rows)


def test_there_are_many_lives_and_each_has_its_own_name() -> None:
    names = [param.id for param in SCRIPTS]

    assert len(set(names)) == len(names) >= 60


def _lines(rows: list[Row] | tuple[Row, ...]) -> list[str]:
    return [" | ".join((row.at, *row.shown, row.events)) for row in rows]
