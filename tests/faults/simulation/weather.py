"""Weather: the faults of a day, thrown by the dice of its seed before it begins."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net.answer import Answer

MINUTE: Final = 60.0
HOUR: Final = 3600.0
CALM_AFTER: Final = 19 * HOUR
"""No fault begins or lasts later: what is owed has the rest of the day to arrive."""
CALM_EVERY: Final = 8
"""Every eighth seed has no faults at all, only what a well-run day brings."""

SOURCES: Final = ("alpha", "beta")
RECEIVERS: Final = ("crm", "ledger")
INSTANCES: Final = ("one", "two")

MOMENTS: Final = ("", "committed", *(f"requests https://{name}" for name in (*SOURCES, *RECEIVERS)))
"""What a daemon is in the midst of when something is done to it."""

FAULTS: Final = {
    "source": ("errors", "limited", "silent", "cut", "refused", "slow", "gone"),
    "receiver": ("down", "errors", "limited", "silent", "lost", "late"),
    "database": ("before", "undone", "unknown"),
}
"""What may befall each kind of part."""


UNHEARD: Final = ("silent", "lost", "late")
"""Faults of a receiver that may have accepted, for all that the sender knows."""
LONGEST_PAUSE: Final = 600
"""Seconds that anybody asks for at most by Retry-After."""


STATUS: Final = {"refused": 401, "gone": 404}
"""What it answers under some faults, each time."""
SILENCE: Final = 60.0
"""Seconds after which nobody waits for an answer any more."""


def answer(status_code: int, *, body: bytes = b"", retry_after: str | None = None) -> Answer:
    """Return an answer."""
    return Answer(status_code=status_code, body=body, retry_after=retry_after)


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold when somebody was asked, and how long a pause the answer wanted."""

    at: float
    pause: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Hold a fault that strikes a part for a while, with so much of a chance each time."""

    part: str
    fault: str
    begins: float
    ends: float
    chance: float

    def __str__(self) -> str:
        """Show it in one line."""
        until = f"{self.begins:.0f}..{self.ends:.0f}"
        return f"{until} {self.part} {self.fault} {self.chance:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Hold what is done to a daemon at a moment, and for how long."""

    at: float
    instance: str
    deed: str
    lasts: float
    amid: str
    """Done as soon as the daemon does this; nothing: at once."""

    def __str__(self) -> str:
        """Show it in one line."""
        return f"{self.at:.0f} {self.instance} {self.deed} {self.lasts:.0f}"


@dataclass(slots=True)
class Weather:
    """Hold the faults of a seed, and count those that struck."""

    seed: int
    spells: list[Spell] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    done: list[Act] = field(default_factory=list)
    """Those of the acts that were begun, when they were."""
    struck: Counter[str] = field(default_factory=Counter)
    instances: tuple[str, ...] = ()
    _dice: Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = Random(f"weather of {self.seed}")
        self.instances = INSTANCES[: self._dice.choice((1, 2, 2))]
        if not self.calm:
            self.spells = sorted(self._throw_spells(), key=lambda spell: spell.begins)
        self.acts = list(self._throw_acts())

    @property
    def calm(self) -> bool:
        """Tell whether nothing goes wrong on this day."""
        return self.seed % CALM_EVERY == 0

    def strikes(self, part: str, at: float) -> str | None:
        """Return the fault that strikes a part now, if any."""
        for spell in self.spells:
            there = spell.part == part and spell.begins <= at < spell.ends
            if there and self._dice.random() < spell.chance:
                self.struck[f"{part} {spell.fault}"] += 1
                return spell.fault
        return None

    async def befall(self, fault: str | None, asked: list[Asked]) -> Answer | None:
        """Answer as a fault has it, or raise NetworkError; none: the part answers by itself."""
        match fault:
            case "errors":
                return answer(self._dice.choice((500, 502, 503)))
            case "refused" | "gone":
                return answer(STATUS[fault])
            case "limited":
                asked[-1] = Asked(asked[-1].at, self._dice.randint(1, LONGEST_PAUSE))
                return answer(429, retry_after=str(asked[-1].pause))
            case "silent":
                await asyncio.sleep(SILENCE)
                return answer(503)
            case "down":
                raise NetworkError(NetworkKind.CONNECT)
            case "cut":
                raise NetworkError(NetworkKind.DISCONNECTED)
            case _:
                return None

    def well_since(self, parts: tuple[str, ...], at: float) -> float:
        """Return since when none of these parts was struck or put down; never: `at`."""
        since = 0.0
        for spell in self.spells:
            if spell.part in parts and spell.begins <= at:
                since = max(since, min(at, spell.ends))
        for act in self.done:
            if "daemon" in parts and act.at <= at:
                since = max(since, min(at, act.at + act.lasts))
        return since

    def doublings(self, slots: int) -> int:
        """Return how many deliveries may have been accepted twice for what struck.

        One for each answer that got lost, and what was under way at each death, or each time that
        the store did not take what had become of it.
        """
        lost = sum(self.struck[f"{part} {fault}"] for part in RECEIVERS for fault in UNHEARD)
        unwritten = sum(self.struck[f"store {fault}"] for fault in FAULTS["database"])
        cut_off = sum(act.deed in ("crash", "pause") for act in self.done)
        return lost + slots * (unwritten + cut_off)

    def disturbs(self, begins: float, ends: float, *parts: str) -> bool:
        """Tell whether any of these parts is struck, or a daemon put down, within a time."""
        struck = any(s.part in parts and s.begins < ends and s.ends > begins for s in self.spells)
        return struck or any(act.at < ends and act.at + act.lasts > begins for act in self.done)

    def _throw_spells(self) -> Iterator[Spell]:
        for kind, parts in (("source", SOURCES), ("receiver", RECEIVERS), ("database", ("store",))):
            for part in parts:
                for _ in range(self._dice.randint(1, 4)):
                    yield self._spell(part, self._dice.choice(FAULTS[kind]), kind)

    def _spell(self, part: str, fault: str, kind: str) -> Spell:
        longest = HOUR / 2 if kind == "database" else 4 * HOUR
        lasts = longest ** self._dice.uniform(0.45, 1.0)  # seconds, minutes or hours
        begins = self._dice.uniform(0, CALM_AFTER - lasts)
        chance = 1.0 if self._dice.random() < 0.5 else self._dice.uniform(0.1, 0.9)
        return Spell(part=part, fault=fault, begins=begins, ends=begins + lasts, chance=chance)

    def _throw_acts(self) -> Iterator[Act]:
        """Do things to the daemons one after the other, from some minutes to some hours apart."""
        deeds = (
            ("stop", "reload")
            if self.calm
            else ("crash", "crash", "pause", "pause", "stop", "reload")
        )
        at = self._dice.uniform(0, HOUR)
        while at < CALM_AFTER - HOUR:
            deed = self._dice.choice(deeds)
            lasts = 0.0 if deed == "reload" else HOUR ** self._dice.uniform(0.2, 1.0)
            instance, amid = self._dice.choice(self.instances), self._dice.choice(MOMENTS)
            yield Act(at=at, instance=instance, deed=deed, lasts=lasts, amid=amid)
            at += lasts + self._dice.expovariate(1 / HOUR)
