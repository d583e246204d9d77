"""A script: one life of a batch as a table, read from Markdown and played on the stage."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from monitor.core.errors import PollError
from monitor.core.event import Event
from monitor.setting_types import parse_duration, write_duration
from tests.lives.stage import FAULTS, START, Answer, Stage, answer_of

AFTERWARDS: Final = timedelta(minutes=10)
"""A life is watched for so long after its last row."""
DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
WALL: Final = "%d %b %H:%M"
TIMES: Final = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold one row: from when on the provider shows what, and what is told while it does."""

    at: str
    shown: tuple[str, ...]
    events: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Hold one life as it is written: settings by their first word, batches by column."""

    title: str
    settings: Mapping[str, str]
    batches: tuple[str, ...]
    rows: tuple[Row, ...]


def read_scripts(path: Path) -> Iterator[Script]:
    """Read all lives of a file: a heading, a sentence, maybe `> settings`, a table."""
    for part in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        settings = [line.removeprefix("> ") for line in lines if line.startswith("> ")]
        words = [s.partition(" ") for line in settings for s in line.split("; ")]
        table = [_cells(line) for line in lines if line.startswith("|")]
        rows = [Row(at=c[0], shown=tuple(c[1:-1]), events=c[-1]) for c in table[2:]]
        yield Script(
            title=lines[0],
            settings={first: rest for first, _, rest in words},
            batches=tuple(table[0][1:-1]),
            rows=tuple(rows),
        )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


class Player:
    """Play one script on the stage, polled when the real pacing says."""

    def __init__(self, script: Script) -> None:
        self._script, settings = script, script.settings
        self._zone = ZoneInfo(settings["zone"]) if "zone" in settings else None
        self._provider = "vogent" if "vogent" in settings else "bolna"
        copies = int(settings.get("batches", "1"))
        names = [f"{name}{n}" for n in range(copies) for name in script.batches]
        self._year = ""
        self._start = self._wall(settings["from"]) if self._zone else START
        self._stage = Stage(
            dict.fromkeys(names, "found" in settings),
            provider=self._provider,
            jitter=float(settings.get("jitter", "0")),
            start=self._start,
        )
        self._shown = [""] * len(script.batches)
        self._up = True

    def play(self) -> Iterator[Row]:
        """Yield the rows with what was told while each lasted."""
        begins = [self._time(row.at) for row in self._script.rows]
        for row, (begin, end) in zip(
            self._script.rows, pairwise([*begins, begins[-1] + AFTERWARDS]), strict=True
        ):
            self._change(row, begin)
            yield replace(row, events="; ".join(self._told(end)))

    def _change(self, row: Row, at: datetime) -> None:
        """Show from now on what the row says; an empty cell goes on as before."""
        if row.shown[0] in {"(stops)", "(starts)"}:
            self._up = row.shown[0] == "(starts)"
            self._stage.restart()
        else:
            self._shown = [n or old for n, old in zip(row.shown, self._shown, strict=True)]
        self._stage.now = at

    def _told(self, end: datetime) -> Iterator[str]:
        """Poll whenever something is due before the end; write what is told at each time."""
        stage = self._stage
        told: dict[datetime, Counter[str]] = {}
        while self._up and stage.next_at is not None and max(stage.now, stage.next_at) < end:
            stage.now = max(stage.now, stage.next_at)
            claims = stage.claim()
            answers = [(claim, self._answer(claim.watch.batch.row)) for claim in claims]
            events = map(self._written, stage.commit(answers))
            told.setdefault(stage.now, Counter()).update(events)
        for at, words in told.items():
            if words:
                counted = [f"{n} {TIMES} {text}" if n > 1 else text for text, n in words.items()]
                yield f"{self._written_time(at)}: {', '.join(counted)}"

    def _answer(self, row: int) -> Answer:
        """Make what a batch shows now an answer: `status · counts · total 7 · start 1h`."""
        first, *parts = self._shown[row % len(self._script.batches)].split(" · ")
        batch_id = self._stage.watches[row].batch.id
        fault, _, pause = first.partition(" retry-after ")
        if fault in FAULTS:
            found = FAULTS[fault]
            if isinstance(found, bytes):
                return answer_of(self._provider, batch_id, found)
            asked = timedelta(seconds=int(pause)) if pause else None
            return PollError(found.kind, found.status_code, asked)
        named = {p.split()[0]: p.split(" ", 1)[1] for p in parts if p.startswith(_NAMED)}
        counts = [_calls(part) for part in parts if not part.startswith(_NAMED)]
        if self._provider == "vogent":
            job = {"id": batch_id, "status": first, "schedule": _schedule(self._script.settings)}
            counted = self._script.settings.get("counts") != "off"
            calls = counts[0] if counts else None
            return answer_of("vogent", batch_id, job, calls=calls, counted=counted)
        document: dict[str, Any] = {"batch_id": batch_id, "status": first}
        if counts:
            document["execution_status"] = counts[0]
        if "start" in named:
            document["scheduled_at"] = self._time(named.pop("start")).isoformat()
        document |= {f"{name}_contacts": int(number) for name, number in named.items()}
        return answer_of("bolna", batch_id, document)

    # times and events as they are written

    def _time(self, written: str) -> datetime:
        return self._wall(written) if self._zone else self._start + parse_duration(written)

    def _wall(self, written: str) -> datetime:
        """Read `2026 28 Mar 08:00`, or without the year; a zone's name tells 02:30 from 02:30."""
        year, *rest = written.split() if written[:4].isdigit() else [self._year, *written.split()]
        self._year = year
        clock = datetime.strptime(" ".join([year, *rest[:3]]), f"%Y {WALL}")  # noqa: DTZ007
        times = (clock.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        return next(t for t in times if rest[3:] in ([], [t.tzname()])).astimezone(UTC)

    def _written_time(self, at: datetime) -> str:
        if self._zone is None:
            return write_duration(at - self._start)
        return at.astimezone(self._zone).strftime(f"{WALL}:%S %Z").replace(":00 ", " ")

    def _written(self, event: Event) -> str:
        document = json.loads(event.body)
        name = document["type"].removeprefix("batch.")
        about = self._about(name, document["data"])
        batch = f"{document['subject'][:-1]} " if len(self._script.batches) > 1 else ""
        who = "" if name.startswith("source.") else batch
        return f"{who}{name} ({about})" if about else f"{who}{name}"

    def _about(self, name: str, data: Mapping[str, Any]) -> str:
        """Say what is to be known of an event."""
        match name:
            case "counts_changed":
                moved = [f"{word} {change:+}" for word, change in data["changes"].items()]
                about = ", ".join(moved) or f"total {data['total_contacts']}"
            case "status_changed":
                about = f"{data['previous_status']} → {data['status']}"
            case "status_unknown":
                about = data["status"]
            case "completed" | "failed" | "cancelled":
                seconds = data["duration_seconds"]
                took = None if seconds is None else write_duration(timedelta(seconds=seconds))
                silent = data["settled_by"] == "silence" and "by silence"
                parts = [data["late"] and "late", took and f"took {took}", silent]
                about = ", ".join(filter(None, parts))
            case "stalled" | "progressing":
                about = f"still since {self._written_time(datetime.fromisoformat(data['since']))}"
            case "unreachable" | "source.failing":
                kind, code = data["error"].values()
                about = kind if code in {None, 200} else str(code)
            case _:
                about = ""
        return about


_NAMED: Final = ("total ", "valid ", "start ")


def _calls(written: str) -> dict[str, int] | None:
    """Read `completed 3, ringing 4`, `{}` or `null`."""
    if written in {"{}", "null"}:
        return {} if written == "{}" else None
    words = (part.rpartition(" ") for part in written.split(", "))
    return {word: int(number) for word, _, number in words}


def _schedule(settings: Mapping[str, str]) -> dict[str, Any] | None:
    """Read `hours Mon-Fri 09:00-12:00 13:00-17:00, Sat 10:00-12:00` as the provider's JSON."""
    if "hours" not in settings:
        return None
    days = []
    for part in settings["hours"].split(", "):
        named, *slots = part.split()
        first, _, last = named.partition("-")
        span = range(DAYS.index(first), DAYS.index(last or first) + 1)
        times = [dict(zip(("startTime", "endTime"), s.split("-"), strict=True)) for s in slots]
        days += [{"dayOfWeek": day, "timeSlots": times} for day in span]
    return {"days": days, "timezone": settings["zone"]}
