"""The cast: fifty batches as a day of a busy account may bring them."""

from collections.abc import Iterator
from datetime import timedelta

from monitor.simulator.story import retried
from tests.days.dialling import dialling, later
from tests.days.part import TOMORROW, Part, Scene, clock

MINUTE = timedelta(minutes=1)
STARTS = (9, 9, 9, 9.5, 9.5, 13.5, 13.5, 14, 14)
"""The hours at which campaigns begin."""


def cast() -> tuple[Part, ...]:
    """Return all parts, each with an id that says what it is."""
    return (
        *(_campaign(n, "newer", start) for n, start in enumerate(STARTS)),
        *(_campaign(n, "older", start) for n, start in enumerate(STARTS[1:])),
        *(_with_retry(n, 9 + n / 10) for n in range(3)),
        _parked_overnight(),
        _parked_at_night(),
        *(_tomorrow(n) for n in range(7)),
        *(_settled_yesterday(n) for n in range(4)),
        *(_standing_still(n) for n in range(2)),
        _overdue(),
        _wallet_empty(),
        _stopped(),
        _deleted(),
        _unknown_word(),
        *(_started_by_hand(n) for n in range(2)),
        *_jobs(),
    )


def _campaign(number: int, generation: str, start: float) -> Part:
    """Wait for a start at the full ten minutes, dial for most of an hour, end."""
    name = f"{generation}-{number}"
    starts_at = clock(start)
    born_at = starts_at - timedelta(hours=1 + number % 3) - 7 * MINUTE
    begins_at = starts_at + (2 + number % 7) * MINUTE
    lasts = timedelta(minutes=40 + 3 * number)
    busy, last = ("running", "completed") if generation == "newer" else ("queued", "executed")
    before = [
        Scene(at=born_at, status="created"),
        Scene(at=born_at + 4 * MINUTE, status="scheduled", counts={}, scheduled_at=starts_at),
    ]
    scenes = [*before, *dialling(name, {"queued": 20}, busy, last, begins_at, lasts, starts_at)]
    return _part(name, scenes, marks=("completed",), added_after=(1 + number % 9) * MINUTE)


def _with_retry(number: int, start: float) -> Part:
    """Reach nobody with some calls, and dial those again an hour after the end."""
    name = f"retry-{number}"
    calls = {"queued": 30}
    first = list(dialling(name, calls, "running", "completed", clock(start), 30 * MINUTE))
    again = retried(first[-1].counts or {})
    wakes_at, dials_at = first[-1].at + 20 * MINUTE, first[-1].at + 100 * MINUTE
    waits = Scene(at=wakes_at, status="running", counts=again)
    second = dialling(name, again, "running", "completed", dials_at, 40 * MINUTE)
    scenes = [Scene(at=clock(start - 0.3), status="created"), *first, waits, *list(second)[1:]]
    return _part(name, scenes, marks=("completed", "reopened", "completed"))


def _parked_overnight() -> Part:
    """Wait for the morning, as guardrails want it, with the rest of yesterday's calls."""
    parked = {"completed": 31, "no-answer": 4, "rescheduled": 25}
    night = Scene(at=clock(7), status="running", counts=parked)
    woken = {"completed": 31, "no-answer": 4, "queued": 25}
    day = dialling("overnight", woken, "running", "completed", clock(8), 40 * MINUTE)
    return _part("overnight", [night, *day], marks=("completed",))


def _parked_at_night() -> Part:
    """Dial in the evening until the guardrails stop it for the night."""
    calls = {"queued": 40}
    day = list(dialling("evening", calls, "running", "completed", clock(21), 60 * MINUTE))[:6]
    parked = {"completed": 25, "busy": 3, "rescheduled": 12}
    night = Scene(at=day[-1].at + 9 * MINUTE, status="running", counts=parked)
    return _part("evening", [*day, night])


def _tomorrow(number: int) -> Part:
    """Be made today for tomorrow morning."""
    starts_at = clock(0) + TOMORROW
    scene = Scene(at=clock(18 + number / 2), status="scheduled", counts={}, scheduled_at=starts_at)
    return _part(f"tomorrow-{number}", [scene])


def _settled_yesterday(number: int) -> Part:
    """Have ended before anybody watched."""
    status = ("completed", "executed", "stopped", "failed")[number]
    mark = ("completed", "completed", "cancelled", "failed")[number]
    scene = Scene(at=clock(0), status=status, counts={"completed": 12, "busy": 3})
    return _part(f"yesterday-{number}", [scene], marks=(mark,))


def _standing_still(number: int) -> Part:
    """Stand still for most of an hour with calls open."""
    name, start = f"still-{number}", clock(9.2 + 4.5 * number)
    dialled = list(dialling(name, {"queued": 20}, "running", "completed", start, 30 * MINUTE))
    rest = [later(scene, 40 * MINUTE) for scene in dialled[5:]]
    marks = ("stalled", "progressing", "completed")
    return _part(name, [*dialled[:5], *rest], marks=marks)


def _overdue() -> Part:
    """Begin most of an hour after its time."""
    due_at, begins_at = clock(10), clock(10.7)
    waits = Scene(at=clock(8), status="scheduled", counts={}, scheduled_at=due_at)
    calls = {"queued": 10}
    late = dialling("overdue", calls, "running", "completed", begins_at, 30 * MINUTE, due_at)
    return _part("overdue", [waits, *late], marks=("overdue", "completed"))


def _wallet_empty() -> Part:
    """Run out of money half-way."""
    day = list(dialling("wallet", {"queued": 20}, "running", "x", clock(13.6), 30 * MINUTE))[:4]
    broke = {"completed": 4, "balance-low": 16}
    return _part(
        "wallet",
        [*day, Scene(at=day[-1].at + 6 * MINUTE, status="failed", counts=broke)],
        marks=("failed",),
    )


def _stopped() -> Part:
    """Be stopped while people talk."""
    talking = {"completed": 5, "in-progress": 3, "stopped": 12}
    hung_up = {"completed": 8, "stopped": 12}
    scenes = [
        Scene(at=clock(14), status="running", counts={"completed": 5, "ringing": 3, "queued": 12}),
        Scene(at=clock(14.2), status="stopped", counts=talking),
        Scene(at=clock(14.4), status="stopped", counts=hung_up),
    ]
    return _part("stopped", scenes, marks=("cancelled",))


def _deleted() -> Part:
    """Be deleted while it runs."""
    scene = Scene(at=clock(23.2), status="running", counts={"completed": 2, "ringing": 3})
    return Part(
        id="deleted",
        scenes=(scene,),
        added_at=scene.at,
        marks=("batch.unreachable",),
        deleted_at=clock(23.4),
    )


def _unknown_word() -> Part:
    """Say a word that nobody documented."""
    calls = {"completed": 3, "ringing": 4}
    scenes = [
        Scene(at=clock(9.4), status="running", counts=calls),
        Scene(at=clock(9.5), status="rebalancing", counts=calls),
        Scene(at=clock(9.6), status="running", counts={"completed": 5, "ringing": 2}),
        Scene(at=clock(9.7), status="completed", counts={"completed": 7}),
    ]
    return _part("unknown-word", scenes, marks=("status_unknown", "completed"))


def _started_by_hand(number: int) -> Part:
    """Wait for hours without a time, until somebody presses the button."""
    name, born_at = f"by-hand-{number}", clock(12.1 + number / 10)
    starts_at = clock(13.55 + number / 10)
    calls = {"queued": 10}
    day = dialling(name, calls, "running", "completed", starts_at, 30 * MINUTE)
    return _part(name, [Scene(at=born_at, status="created"), *day], marks=("completed",))


def _jobs() -> Iterator[Part]:
    """Play the Vogent jobs: they dial from 9 to 12 and from 13 to 17."""
    courses: list[tuple[list[tuple[float, str]], tuple[str, ...]]] = [
        ([(8.3, "INIT"), (8.5, "ACTIVE"), (10.5, "COMPLETE")], ("completed",)),
        ([(8.6, "INIT"), (8.9, "ACTIVE"), (10.9, "COMPLETE")], ("completed",)),
        ([(8.8, "INIT"), (9.1, "ACTIVE"), (10.4, "COMPLETE")], ("completed",)),
        ([(8.9, "INIT"), (9.2, "ACTIVE"), (11.1, "COMPLETE")], ("completed",)),
        (
            [(8.9, "INIT"), (9, "ACTIVE"), (9.7, "PAUSED"), (10.7, "ACTIVE"), (11.2, "COMPLETE")],
            ("completed",),
        ),
        ([(13.4, "INIT"), (13.5, "ACTIVE"), (14.5, "CANCELLED")], ("cancelled",)),
        ([(10.9, "INIT"), (11.3, "ACTIVE"), (14.2, "COMPLETE")], ("completed",)),
        ([(15.8, "INIT"), (16, "ACTIVE"), (20, "PAUSED"), (21.5, "ACTIVE")], ()),
    ]
    for number, (course, marks) in enumerate(courses):
        scenes = [Scene(at=clock(hours), status=status) for hours, status in course]
        yield _part(f"job-{number}", scenes, source="vogent", marks=marks)


def _part(
    name: str,
    scenes: list[Scene],
    *,
    source: str = "bolna",
    marks: tuple[str, ...] = (),
    added_after: timedelta = MINUTE,
) -> Part:
    return Part(
        id=name,
        source=source,
        scenes=tuple(scenes),
        added_at=scenes[0].at + added_after,
        marks=tuple(f"batch.{mark}" for mark in marks),
    )
