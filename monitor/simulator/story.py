"""A story: the seeded course of a batch, scene by scene, without its provider's document."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

Calls = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a batch shows for a while; none calls: the provider does not say."""

    status: str
    calls: Calls | None = None


_NEXT: Final[Mapping[str, Sequence[str]]] = {
    "scheduled": ("ringing",),
    "queued": ("ringing",),
    "ringing": ("in-progress", "in-progress", "no-answer", "busy", "failed"),
    "in-progress": ("call-disconnected", "completed"),
    "call-disconnected": ("completed",),
}
_RETRIED: Final = frozenset({"no-answer", "busy", "failed"})
_SCENES_OF_CHANCE: Final = 12
"""Scenes after which no more dice are thrown: every call goes on in every scene."""


def seeded(seed: object) -> Random:
    """Return the dice of one story; the same seed throws the same story."""
    return Random(repr(seed))  # noqa: S311  stories, not secrets


def dial(calls: Calls, dice: Random) -> Iterator[Calls]:
    """Let open calls go on until none is left, showing the counts in between."""
    each = list(Counter(calls).elements())
    scenes = 0
    while any(status in _NEXT for status in each):
        scenes += 1
        each = [_go_on(status, dice, sure=scenes > _SCENES_OF_CHANCE) for status in each]
        yield dict(Counter(each))


def _go_on(status: str, dice: Random, *, sure: bool) -> str:
    if status in _NEXT and (sure or dice.random() < 0.5):
        return dice.choice(_NEXT[status])
    return status


def retried(calls: Calls) -> Calls:
    """Put the calls that reached nobody back to `scheduled`: finished counts go down."""
    again = sum(number for status, number in calls.items() if status in _RETRIED)
    rest = {status: number for status, number in calls.items() if status not in _RETRIED}
    return {**rest, "scheduled": again} if again else rest


def cut_off(calls: Calls, word: str) -> Calls:
    """End all open calls with one word."""
    rest = {status: number for status, number in calls.items() if status not in _NEXT}
    ended = sum(number for status, number in calls.items() if status in _NEXT)
    return dict(Counter(rest) + Counter({word: ended}))
