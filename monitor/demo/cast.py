"""The cast: ten batches, what they are called, and how their lives go."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from monitor.simulator.bolna import Ending, Generation, bolna_life
from monitor.simulator.lives import Clock, Life
from monitor.simulator.story import seeded
from monitor.simulator.vogent import JobEnding, vogent_life

BOLNA: Final = "bolna"
VOGENT: Final = "vogent"
LIVED: Final = 0.7
"""Share of the show after which every batch has ended: the rest is quiet."""

_SEED: Final = 5
_BOLNA_NAMES: Final = {
    "renewals.csv": "sales",
    "reminders-q1.csv": "billing",
    "clinic-visits.csv": "care",
    "win-back.csv": "sales",
    "kyc-callbacks.csv": "risk",
    "deliveries.csv": "logistics",
    "nps-survey.csv": "research",
}
_VOGENT_NAMES: Final = {
    "Webinar follow-up": "marketing",
    "Open enrollment": "care",
    "Trial onboarding": "sales",
}
_FAULTED: Final = "clinic-visits.csv"
"""The one that the provider loses for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One batch of the show."""

    source: str
    id: str
    name: str
    team: str
    life: Life
    faulted: bool = False


def cast(*, seconds: float, clock: Clock) -> list[Role]:
    """Give out the roles of a show that lasts `seconds`: the lives are always the same."""
    return [
        *_bolna_roles(seeded((BOLNA, _SEED)), seconds, clock),
        *_vogent_roles(seeded((VOGENT, _SEED)), seconds, clock),
    ]


def _bolna_roles(dice: Random, seconds: float, clock: Clock) -> Iterator[Role]:
    for number, (name, team) in enumerate(_BOLNA_NAMES.items()):
        batch_id = _id(dice)
        faulted = name == _FAULTED
        generation = list(Generation)[number % 2]
        life = bolna_life(
            batch_id,
            contacts=dice.randint(12, 240),
            generation=generation,
            ending=Ending.COMPLETED if faulted else _ending(dice),
            lag=generation is Generation.NEWER,  # `executed` without open calls is an end already
            retry=dice.random() < 0.3,
            file_name=name,
            seed=dice.random(),
            seconds=seconds * LIVED * (1.0 if faulted else dice.uniform(0.6, 1.0)),
            clock=clock,
        )
        yield Role(source=BOLNA, id=batch_id, name=name, team=team, life=life, faulted=faulted)


def _vogent_roles(dice: Random, seconds: float, clock: Clock) -> Iterator[Role]:
    for name, team in _VOGENT_NAMES.items():
        job_id = _id(dice)
        life = vogent_life(
            job_id,
            contacts=dice.randint(12, 240),
            pauses=dice.randint(0, 3),
            ending=dice.choice((JobEnding.COMPLETE, JobEnding.COMPLETE, JobEnding.CANCELLED)),
            name=name,
            seed=dice.random(),
            seconds=seconds * LIVED * dice.uniform(0.6, 1.0),
            clock=clock,
        )
        yield Role(source=VOGENT, id=job_id, name=name, team=team, life=life)


def _id(dice: Random) -> str:
    return f"{dice.getrandbits(128):032x}"


def _ending(dice: Random) -> Ending:
    return dice.choice([Ending.COMPLETED] * 4 + [Ending.STOPPED, Ending.FAILED])
