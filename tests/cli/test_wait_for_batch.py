import asyncio
import os
import pty
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import wait_for_batch
from monitor.config.load import load
from monitor.core.batch import Failures, Outcome, Phase, Reading
from monitor.core.failure import FailureKind
from monitor.storage.batches.row import failures_column
from monitor.storage.database import Database
from tests import programs
from tests.cli.conftest import Run, both, fail_source
from tests.conftest import Until
from tests.postgres import Postgres
from tests.storage.store import MINUTE, NOW, Store, running

pytestmark = pytest.mark.usefixtures("in_force")


def ended(outcome: Outcome = Outcome.COMPLETED) -> Reading:
    return Reading(
        status="executed",
        phase=Phase.ENDED,
        outcome=outcome,
        counts={"completed": 7},
        valid_contacts=7,
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than once a second."""
    monkeypatch.setattr(wait_for_batch, "LOOK", 0.02)


async def dialled(store: Store, *, start: datetime) -> None:
    """Let a batch finish 20 calls a minute."""
    await store.add("x", at=start)
    for number in range(3):
        counts = {"completed": 20 * number, "ringing": 100 - 20 * number}
        reading = running(counts=counts, open_calls=counts["ringing"])
        await store.tell("x", reading=reading, at=start + number * MINUTE)


async def over(store: Store, outcome: Outcome = Outcome.COMPLETED) -> None:
    """Let a batch run and end."""
    await store.add("x")
    await store.tell("x", reading=running(calls=7, valid_contacts=7))
    await store.tell("x", reading=ended(outcome), at=NOW + MINUTE)


@pytest.mark.parametrize(
    ("outcome", "wanted", "code"),
    [
        (Outcome.COMPLETED, [], 0),
        (Outcome.COMPLETED, ["--for", "ended"], 0),
        (Outcome.FAILED, ["--for", "failed"], 0),
        (Outcome.CANCELLED, ["--for", "cancelled"], 0),
        (Outcome.CANCELLED, ["--for", "ended"], 0),
        (Outcome.CANCELLED, [], 1),
        (Outcome.COMPLETED, ["--for", "failed"], 1),
    ],
)
@pytest.mark.usefixtures("daemon")
async def test_an_end_that_is_there_already_ends_the_wait_at_once(
    outcome: Outcome, wanted: list[str], code: int, monitor: Run, store: Store
) -> None:
    await over(store, outcome)

    done = await monitor("wait", "bolna", "x", *wanted)

    said = done.err if code else done.out.splitlines()[-1]
    assert done.code == code
    assert said.startswith(f"bolna x: {outcome}, settled 2026-01-29 08:32:00 UTC")
    assert ("waited for" in said) is bool(code)


@both
async def test_a_wait_and_the_pages_say_what_was_left_open(store: Store, monitor: Run) -> None:
    await store.add("x")
    await store.tell("x", reading=running(calls=7, valid_contacts=7))
    stopped = replace(ended(Outcome.CANCELLED), counts={"completed": 4, "queued": 3}, open_calls=3)
    await store.tell("x", reading=stopped, at=NOW + MINUTE)
    await store.tell("x", reading=stopped, at=NOW + 2 * MINUTE)

    waited = await monitor("wait", "bolna", "x", "--for", "cancelled")
    listed = await monitor("list")
    shown = await monitor("show", "bolna", "x")
    told = await monitor("events", "-o", "wide")

    assert waited.code == 0
    assert waited.out.splitlines()[-1].endswith(", 3 calls left open")
    assert "3 calls left open" in " ".join(shown.out.split())
    assert "left open" in " ".join(listed.out.split())
    assert "3 left open" in told.out


class Waiting:
    """A wait under way, in this very loop."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str], **about: Any) -> None:
        given: dict[str, Any] = {"wanted": "completed", "patience": None}
        wait = wait_for_batch.wait_for_end(load(config), "bolna", "x", **(given | about))
        self.end = asyncio.create_task(wait)
        self.out = self.err = ""
        self._capsys = capsys

    def says(self, text: str) -> bool:
        """Tell whether it has said something, wherever."""
        captured = self._capsys.readouterr()
        self.out += captured.out
        self.err += captured.err
        return text in self.out + self.err


@pytest.fixture
async def wait(
    in_force: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Callable[..., Waiting]]:
    """Begin to wait; whatever still waits at the end is stopped."""
    begun: list[Waiting] = []

    def begin(**about: Any) -> Waiting:
        begun.append(Waiting(in_force, capsys, **about))
        return begun[-1]

    yield begin
    for waiting in begun:
        waiting.end.cancel()
        await asyncio.gather(waiting.end, return_exceptions=True)


@pytest.mark.usefixtures("daemon")
@both
async def test_every_change_is_a_line_until_it_settles(
    wait: Callable[..., Waiting], store: Store, until: Until
) -> None:
    await store.add("x")
    waiting = wait()
    await until(lambda: waiting.says("not read yet"))
    await store.tell("x", reading=running(calls=7, valid_contacts=7))
    await until(lambda: waiting.says("running  0%  0 finished, 7 open of 7"))
    counts = {"completed": 5, "ringing": 2}
    moved = running(counts=counts, open_calls=2, valid_contacts=7)
    await store.tell("x", reading=moved, at=NOW + MINUTE)
    await until(lambda: waiting.says("running  71.4%  5 finished, 2 open of 7"))
    await store.tell("x", reading=ended(), at=NOW + 2 * MINUTE)

    end = await waiting.end

    assert (end.code, end.reason) == (0, "completed, settled 2026-01-29 08:33:00 UTC")
    assert waiting.says("ended, completed, settled 2026-01-29 08:33:00 UTC (executed)")
    assert len(waiting.out.splitlines()) == 4
    assert waiting.err == ""


@pytest.mark.usefixtures("daemon")
async def test_an_end_that_has_not_settled_is_waited_for(
    wait: Callable[..., Waiting], store: Store, until: Until
) -> None:
    await store.add("x")
    early = Reading(
        status="executed",
        phase=Phase.ENDED,
        outcome=Outcome.COMPLETED,
        counts={"ringing": 2},
        open_calls=2,
    )
    await store.tell("x", reading=early)
    waiting = wait()

    await until(lambda: waiting.says("ended, completed, not settled (executed)"))

    assert not waiting.end.done()


@pytest.mark.usefixtures("daemon")
async def test_the_pace_and_the_end_it_leads_to_are_told(
    wait: Callable[..., Waiting], store: Store, until: Until
) -> None:
    await dialled(store, start=datetime.now(UTC) - timedelta(minutes=3))
    waiting = wait()

    await until(lambda: waiting.says("20 calls/min, ends about "))

    assert waiting.says(", in ")


async def forget_daemon(store: Store) -> None:
    await store.run("DELETE FROM instances")


async def forget_batch(store: Store) -> None:
    await store.run("UPDATE batches SET next_poll_at = NULL")


async def fail_poll(store: Store) -> None:
    failures = Failures(since=NOW, polls=1, kind=FailureKind.TIMEOUT)
    await store.run("UPDATE batches SET failures = :text", text=failures_column(failures))


@pytest.mark.usefixtures("daemon")
async def test_that_it_stands_still_is_a_line_of_its_own(
    wait: Callable[..., Waiting], store: Store, until: Until
) -> None:
    still = running(counts={"ringing": 2}, open_calls=2, live_calls=2)
    await store.add("x")
    await store.tell("x", reading=still)
    waiting = wait()
    await until(lambda: waiting.says("2 open"))

    await store.tell("x", reading=still, at=NOW + 15 * MINUTE)

    await until(lambda: waiting.says("running, stalled since 2026-01-29 08:31:00 UTC"))


@pytest.mark.usefixtures("daemon")
async def test_that_its_start_is_overdue_is_told(
    wait: Callable[..., Waiting], store: Store, until: Until
) -> None:
    late = Reading(status="scheduled", phase=Phase.PENDING, scheduled_at=NOW - 15 * MINUTE)
    await store.add("x")
    await store.tell("x", reading=late)

    waiting = wait()

    await until(lambda: waiting.says("pending, overdue since 2026-01-29 08:16:00 UTC"))


@pytest.mark.parametrize("hinder", [forget_daemon, forget_batch, fail_poll, fail_source])
@pytest.mark.usefixtures("daemon")
async def test_no_end_is_foretold_of_a_batch_that_nobody_reads(
    hinder: Callable[[Store], Awaitable[None]], monitor: Run, store: Store
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=3)
    await dialled(store, start=start)
    before = (await monitor("show", "bolna", "x")).out
    await hinder(store)

    waited = await monitor("wait", "bolna", "x", "--timeout", "1ms")
    shown = (await monitor("show", "bolna", "x")).out

    assert "20 calls/min" in before
    assert "calls/min" not in waited.out + shown


@pytest.mark.usefixtures("daemon")
async def test_a_source_that_fails_is_told_with_what_to_do(monitor: Run, store: Store) -> None:
    await store.add("x")
    await fail_source(store)

    waited = await monitor("wait", "bolna", "x", "--timeout", "1ms")

    assert (
        "bolna is failing since 2026-01-29 08:31:00 UTC: 401, the key is refused: check api_key"
    ) in waited.err


@pytest.mark.usefixtures("daemon")
async def test_time_runs_out_with_exit_3(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x", reading=running(calls=7, valid_contacts=7))

    done = await monitor("wait", "bolna", "x", "--timeout", "100ms")

    assert done.code == 3
    assert "bolna x: not settled within 100ms: it is running (running)" in done.err


@pytest.mark.usefixtures("daemon")
async def test_a_batch_that_is_removed_can_never_end(
    wait: Callable[..., Waiting], monitor: Run, store: Store, until: Until
) -> None:
    await store.add("x")
    waiting = wait()
    await until(lambda: waiting.says("not read yet"))
    await monitor("remove", "bolna", "x")

    end = await waiting.end

    assert end.code == 1
    assert end.reason.startswith("removed: nobody reads it any more; `monitor add`")


@pytest.mark.parametrize(
    ("statement", "trouble"),
    [
        ("DELETE FROM instances", "no daemon is alive: `monitor run`"),
        ("UPDATE instances SET seen_at = 1000", "no daemon is alive: the last was seen at 1970-"),
        ("UPDATE batches SET next_poll_at = NULL", "no longer polled: it settled, or was"),
        (
            "UPDATE sources SET blocked_until = 4102444800000",
            "bolna is paused until 2100-01-01 00:00:00 UTC: too many requests (429)",
        ),
    ],
)
@pytest.mark.usefixtures("daemon")
async def test_what_stands_in_the_way_is_told_once_and_the_wait_goes_on(
    statement: str, trouble: str, wait: Callable[..., Waiting], store: Store
) -> None:
    await store.add("x")
    await store.run(statement)
    waiting = wait(patience=timedelta(milliseconds=300))

    end = await waiting.end

    assert end.code == 3
    assert waiting.says(trouble)
    assert waiting.err.count(trouble) == 1


@pytest.mark.usefixtures("daemon")
async def test_an_unreachable_batch_may_come_back(
    wait: Callable[..., Waiting], store: Store
) -> None:
    await store.add("x")
    failures = Failures(
        since=NOW, polls=5, kind=FailureKind.NOT_FOUND, status_code=404, unreachable_since=NOW
    )
    await store.run("UPDATE batches SET failures = :text", text=failures_column(failures))
    waiting = wait(patience=timedelta(milliseconds=100))

    end = await waiting.end

    assert (end.code, end.reason) == (3, "not settled within 100ms: it was not read yet")
    assert waiting.says("unreachable since 2026-01-29 08:31:00 UTC: never read: 404")


async def test_a_database_that_is_away_is_waited_for(
    postgres: Postgres,
    postgres_url: str,
    open_database: Callable[[str], Database],
    monkeypatch: pytest.MonkeyPatch,
    wait: Callable[..., Waiting],
    until: Until,
) -> None:
    monkeypatch.setenv("MONITOR_DATABASE_URL", postgres_url)
    store = Store(open_database(postgres_url))
    await store.add("x")
    waiting = wait()
    await until(lambda: waiting.says("not read yet"))
    await store.database.close()

    with postgres.away(postgres_url):
        await until(lambda: waiting.says("; trying on"))
    await store.tell("x", reading=ended())

    assert (await waiting.end).code == 0


class Terminal:
    """A wait on a terminal of its own, as a process."""

    def __init__(self) -> None:
        self.screen = ""
        self._ours, self._theirs = pty.openpty()
        os.set_blocking(self._ours, False)

    async def start(self, *arguments: str) -> None:
        self.child = await programs.start(
            *("wait", *arguments),
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(self._theirs)

    def shows(self, text: str) -> bool:
        """Tell whether it has shown something so far."""
        with suppress(BlockingIOError, OSError):
            while part := os.read(self._ours, 65536):
                self.screen += part.decode()
        return text in self.screen

    def has_ended(self) -> bool:
        """Tell whether it has; what it shows is read on, or it could not write its last words."""
        self.shows("")
        return self.child.returncode is not None


async def test_a_terminal_shows_a_bar_and_ctrl_c_ends_it_cleanly(
    store: Store, until: Until
) -> None:
    await store.add("x", name="Köln.csv")
    counts = {"completed": 5, "ringing": 2}
    reading = running(counts=counts, open_calls=2, valid_contacts=7)
    await store.tell("x", reading=reading)
    terminal = Terminal()
    await terminal.start("bolna", "x", "--timeout", "2h")

    await until(lambda: terminal.shows("waiting for completed since "))
    terminal.child.send_signal(signal.SIGINT)
    await until(terminal.has_ended)

    assert terminal.child.returncode == 130
    assert terminal.shows("█" * 24)
    assert terminal.shows("71.4%  5 finished, 2 open of 7")
    assert terminal.shows("no daemon is alive: `monitor run` starts one")
    assert "Traceback" not in terminal.screen
    assert terminal.screen.rstrip().endswith("\x1b[?25h")  # the cursor is back


async def test_a_batch_nobody_knows_says_how_to_add_it(monitor: Run, store: Store) -> None:
    await store.add("x")

    done = await monitor("wait", "bolna", "nine")

    assert done.code == 1
    assert "bolna has no batch 'nine': `monitor add bolna ID` watches one" in done.err
