"""Dice: random lives of an account's batches, played on the real code, told to the model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from monitor.storage.batches.claim import Claim
from tests.lives.model.account import difference
from tests.lives.model.poll import Poll, Shown
from tests.lives.stage import FAULTS, START, Stage, answer_of

STATUSES: Final = {
    "bolna": "created scheduled queued running running executed completed stopped failed Weird",
    "vogent": "INIT ACTIVE ACTIVE PAUSED COMPLETE CANCELLED ARCHIVED",
}
MOMENT: Final = timedelta(milliseconds=1)
CALLS: Final = {
    "bolna": "completed no-answer busy ringing in-progress queued rescheduled scheduled",
    "vogent": "completed failed busy queued ringing in-progress",
}
WAITS: Final = (1, 9, 26, 27, 30, 30, 30, 30, 60, 120, 300, 600, 900, 1500)
"""Seconds between polls."""
HOURS: Final = ((0, 24 * 60), (9 * 60, 9 * 60 + 45), (6 * 60, 9 * 60))
"""When jobs dial, in minutes after midnight, UTC; lives begin at 8:30."""
MOODS: Final = ("", "", "", "", "401", "403", "403", "500", "500", "404", "429", "html", "mixed")
MIXED: Final = ("400", "403", "404", "418", "422", "429", "500", "timeout", "truncated")


@dataclass(slots=True, kw_only=True)
class Character:
    """Hold what one batch shows now, and how it fails."""

    shown: Shown
    mood: str = ""


@dataclass(slots=True)
class Life:
    """Play one random life: the seed is all there is to it."""

    seed: int
    dice: Random = field(init=False)
    stage: Stage = field(init=False)
    provider: str = field(init=False)
    cast: list[Character] = field(init=False)
    mood: str = ""
    flying: list[tuple[Claim, int]] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)
        self.provider = self.dice.choice(("bolna", "bolna", "vogent"))
        batches = {
            f"b{n}": self.dice.choice((False, False, True))
            for n in range(self.dice.choice((1, 2, 2, 3, 4)))
        }
        self.stage = Stage(batches, provider=self.provider)
        self.cast = [Character(shown=self._first()) for _ in batches]

    def play(self, steps: int = 20) -> str | None:
        """Play so many steps; return where code and model part."""
        for _ in range(steps):
            self._step()
        return difference(self.provider, self.polls)

    def _step(self) -> None:
        dice = self.dice
        self.stage.now += timedelta(seconds=dice.choice(WAITS), milliseconds=dice.choice((0, 1)))
        if dice.random() < 0.04:
            self.stage.restart()
            self.flying.clear()
            self.runs += 1
        if dice.random() < 0.12:
            self.mood = dice.choice(MOODS)
        landing, self.flying = self.flying, []
        claims = [(claim, len(self.polls)) for claim in self._claim(landing)]
        if len(claims) > 1 and dice.random() < 0.3:
            self.flying = [claims.pop()]
        if landing or claims:
            self._answer([*claims, *landing])

    def _claim(self, landing: list[tuple[Claim, int]]) -> list[Claim]:
        stage, away = self.stage, {claim.watch.batch.row for claim, _ in landing}
        if stage.source.blocked_until is not None:
            stage.now = max(stage.now, stage.source.blocked_until)
            return [claim for claim in stage.claim() if claim.watch.batch.row not in away]
        rows = [row for row, due in stage.due.items() if due is not None and row not in away]
        chosen = self.dice.sample(rows, self.dice.randint(min(1, len(rows)), len(rows)))
        return [stage.claim_one(row) for row in chosen]

    def _answer(self, claims: list[tuple[Claim, int]]) -> None:
        polls, answers = [], []
        for place, (claim, asked) in enumerate(claims):
            batch = claim.watch.batch
            fault = self._fault(self.cast[batch.row])
            shown = None if fault else self._next(self.cast[batch.row])
            poll = Poll(
                batch=batch.row,
                at=self.stage.now + place * MOMENT,
                asked=asked,
                shown=shown,
                fault=fault,
                watched=self.stage.watched,
                found_first=batch.found_first,
                run=self.runs,
            )
            found = FAULTS[fault] if fault else document_of(self.provider, batch.id, poll.shown)
            if isinstance(found, Mapping | bytes):
                calls = shown.calls if shown else None
                answers.append((claim, answer_of(self.provider, batch.id, found, calls=calls)))
            else:
                answers.append((claim, found))
            polls.append(poll)
        by_time = {poll.at: poll for poll in polls}
        for event in self.stage.commit(answers, apart=MOMENT):
            by_time[event.at].told.append(json.loads(event.body))
        self.polls += polls

    # what is shown next

    def _fault(self, character: Character) -> str:
        dice = self.dice
        if dice.random() < 0.15:
            character.mood = dice.choice(MOODS) if dice.random() < 0.4 else ""
        mood = self.mood or character.mood
        return dice.choice(MIXED) if mood == "mixed" else mood

    def _first(self) -> Shown:
        shown = Shown(status=self._word(STATUSES), calls=self._calls())
        if self.provider == "bolna":
            return replace(shown, start=self._start())
        hours = self.dice.choice((None, None, *HOURS))
        return replace(shown, hours=hours, summed=shown.calls is not None)

    def _next(self, character: Character) -> Shown:
        """Move what a batch shows, more often not at all."""
        dice, shown = self.dice, character.shown
        if dice.random() < 0.25:
            shown = replace(shown, status=self._word(STATUSES))
        if dice.random() < 0.35:
            shown = replace(shown, calls=self._calls())
        if self.provider == "bolna" and dice.random() < 0.1:
            total = dice.choice((None, 5, 7))
            shown = replace(shown, total=total, valid=dice.choice((None, total)))
        if self.provider == "bolna" and dice.random() < 0.1:
            shown = replace(shown, start=self._start())
        summed = self.provider == "vogent" and shown.calls is not None
        character.shown = replace(shown, summed=summed)
        return character.shown

    def _start(self) -> datetime | None:
        minutes = self.dice.choice((None, None, -20, 0, 30))
        return None if minutes is None else START + timedelta(minutes=minutes)

    def _word(self, words: Mapping[str, str]) -> str:
        return self.dice.choice(words[self.provider].split())

    def _calls(self) -> dict[str, int] | None:
        dice = self.dice
        if dice.random() < 0.25:
            return dice.choice((None, {}, {"completed": 0}))
        words = {self._word(CALLS) for _ in range(dice.choice((1, 1, 2)))}
        return {word: dice.choice((0, 1, 2, 5)) for word in sorted(words)}


def document_of(provider: str, batch_id: str, shown: Shown | None) -> dict[str, Any]:
    """Write what is shown as the provider's JSON, with what is unknown left out or null."""
    if shown is None:
        return {}
    if provider == "vogent":
        return {"id": batch_id, "status": shown.status, "schedule": _schedule(shown.hours)}
    document = {
        "batch_id": batch_id,
        "status": shown.status,
        "execution_status": shown.calls,
        "total_contacts": shown.total,
        "valid_contacts": shown.valid,
    }
    if shown.start is not None:
        document["scheduled_at"] = shown.start.astimezone(UTC).isoformat()
    return document


def _schedule(hours: tuple[int, int] | None) -> dict[str, Any] | None:
    if hours is None:
        return None
    start, end = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in hours)
    slot = {"startTime": start, "endTime": end}
    return {
        "days": [{"dayOfWeek": day, "timeSlots": [slot]} for day in range(7)],
        "timezone": "UTC",
    }
