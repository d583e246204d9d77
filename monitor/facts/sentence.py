"""A sentence: words, and the tone in which they are meant; a screen gives the tone a colour."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """How a sentence is meant."""

    PLAIN = "plain"
    ASIDE = "aside"
    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of one tone."""

    text: str
    tone: Tone = Tone.PLAIN
