"""Patience: who fails is asked rarely, and who wants a pause gets it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from monitor.core.pause import LONGEST_HOLD, PROBE_AFTER
from tests.faults.simulation.setting import SLOTS
from tests.faults.simulation.weather import (
    HOUR,
    LONGEST_PAUSE,
    MINUTE,
    SOURCES,
    Asked,
    Spell,
    Weather,
)

if TYPE_CHECKING:
    from tests.faults.simulation.world import World

FAILING: Final = frozenset({"down", "errors", "silent", "cut", "refused"})
"""Faults of a part that answers nothing as it should."""
UNDER_WAY: Final = 60.0
"""Seconds in which one request, and what it says, may cross others."""


def impatience(world: "World") -> Iterator[tuple[str, str]]:
    """Yield who was asked too often, and how."""
    for parts, every in (
        (world.accounts, PROBE_AFTER.total_seconds()),
        (world.receivers, LONGEST_HOLD.total_seconds()),
    ):
        for name, part in parts.items():
            for spell in world.weather.spells:
                if spell.part == name and _is_all_of_it(spell, world.weather):
                    yield from _probes(spell, part.asked, every, world.weather)
            yield from _pauses(name, part.asked, world.weather)


def _is_all_of_it(spell: Spell, weather: Weather) -> bool:
    """Tell whether a part fails each time for as long as a spell lasts, by nothing else."""
    others = (other for other in weather.spells if other is not spell and other.part == spell.part)
    alone = all(other.ends <= spell.begins or other.begins >= spell.ends for other in others)
    return alone and spell.chance == 1 and spell.fault in FAILING


def _probes(
    spell: Spell, asked: Sequence[Asked], every: float, weather: Weather
) -> Iterator[tuple[str, str]]:
    """One that answers nothing is tried at its pace, by each daemon, and by each anew."""
    acts = sum(spell.begins < act.at + act.lasts and act.at < spell.ends for act in weather.done)
    lives = len(weather.instances) + acts
    allowed = ((spell.ends - spell.begins) / every + 3 * SLOTS) * lives
    number = sum(spell.begins < one.at < spell.ends for one in asked)
    if number > allowed:
        yield f"{spell}", f"asked {number} times, not {allowed:.0f}"


def _pauses(name: str, asked: Sequence[Asked], weather: Weather) -> Iterator[tuple[str, str]]:
    """A pause that was asked for is kept, but for requests that were under way."""
    before = Asked(-HOUR)
    for one, following in pairwise(asked):
        alone, gap = one.at - before.at > UNDER_WAY, following.at - one.at
        before = one
        if alone and UNDER_WAY < gap < one.pause - 1 and not _excused(name, following.at, weather):
            yield name, f"asked after {gap:.0f} of {one.pause} s"


def _excused(name: str, at: float, weather: Weather) -> bool:
    """Tell whether a daemon may not know of a pause: each has its own holds in memory."""
    knows = len(weather.instances) == 1 or name in SOURCES
    return not knows or weather.disturbs(at - LONGEST_PAUSE - MINUTE, at, "store")
