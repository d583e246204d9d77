"""A poll of the model's: what a provider showed, and what the code told then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Hold what a provider showed of one batch, as it spells it."""

    status: str
    calls: Mapping[str, int] | None = None
    total: int | None = None
    valid: int | None = None
    start: datetime | None = None
    hours: tuple[int, int] | None = None
    """It dials every day between these minutes after midnight, UTC; none: always."""
    summed: bool = False
    """Nobody tells a total: it is the most calls ever seen."""


@dataclass(slots=True, kw_only=True)
class Poll:
    """Hold one poll of an account and what the code told at it."""

    batch: int
    at: datetime
    asked: int
    """How many polls had been answered when it was sent."""
    shown: Shown | None = None
    fault: str = ""
    watched: int
    found_first: bool = False
    run: int = 0
    """How often the program had been started anew."""
    told: list[dict[str, Any]] = field(default_factory=list)

    def tells(self, event_type: str) -> bool:
        """Tell whether the code told this at this poll."""
        return any(event["type"] == event_type for event in self.told)
