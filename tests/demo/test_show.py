import asyncio
import fcntl
import io
import os
import pty
import re
import signal
import stat
import struct
import termios
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from rich.console import Console

from monitor.consumer import Arrival, Refusal
from monitor.core.errors import DemoError
from monitor.demo import show, stage
from monitor.demo.arrivals import Arrivals
from monitor.demo.moment import RUNNING, Moment, Totals
from monitor.demo.presenter import Lines, Present
from monitor.demo.show import Summary, perform
from tests.conftest import Until
from tests.demo.conftest import Start, processes_naming
from tests.patient import HANG
from tests.programs import Program

SHORTEST = ("--duration", "5s")
WHOLE = Totals(polls=1_240, events=184, delivered=184, verified=184)


async def nothing_is_left(folder: Path) -> bool:
    """Tell whether neither the demo's folder nor any process of it is there."""
    return not os.listdir(folder) and not await processes_naming(str(folder))  # noqa: PTH208  async


async def first_line_with(process: Program, word: str) -> str:
    """Read on until a line has this word."""
    assert process.stdout is not None
    async with asyncio.timeout(HANG):
        while line := (await process.stdout.readline()).decode():
            if word in line:
                return line
    raise AssertionError(f"it ended without saying {word}")


async def test_into_a_pipe_it_writes_lines_and_ends_well(start: Start, tmp_path: Path) -> None:
    process = await start(*SHORTEST, MONITOR_DATABASE_URL="postgresql://elsewhere/x")
    out, _ = await process.communicate()

    text = out.decode()
    assert process.returncode == 0, text
    assert "\x1b" not in text
    assert len(re.findall(r"  batch\.first_seen  (bolna|vogent)  .*  verified in ", text)) == 10
    for kind in ("completed", "failed", "cancelled", "unreachable", "reachable"):
        assert f"  batch.{kind}  " in text
    assert "all that was served has arrived, verified" in text
    assert re.search(r"missing +0\n", text)
    assert "monitor init" in text
    assert await nothing_is_left(tmp_path)


def config_in(folder: Path) -> Path:
    """Return the running demo's config, which is nobody else's to read."""
    [config] = folder.glob("monitor-demo-*/config.toml")
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    return config


async def test_a_webhook_that_nobody_signed_makes_it_fail(start: Start, tmp_path: Path) -> None:
    process = await start(*SHORTEST)
    await first_line_with(process, "batch.first_seen")
    config = config_in(tmp_path)
    url = tomllib.loads(config.read_text())["receivers"]["consumer"]["url"]

    async with aiohttp.request("POST", url, data=b"{}") as answer:
        assert answer.status == 401
    out, _ = await process.communicate()

    text = out.decode()
    assert process.returncode == 1
    assert re.search(r"bad signatures +1\n", text)
    assert "not all that was served has arrived as it should" in text


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (signal.SIGINT, "starting"),
        (signal.SIGTERM, "batch.first_seen"),
        (signal.SIGHUP, "batch.first_seen"),
    ],
)
async def test_a_signal_at_any_time_ends_it_cleanly(
    number: signal.Signals, word: str, start: Start, tmp_path: Path
) -> None:
    process = await start()
    await first_line_with(process, word)

    process.send_signal(number)
    out, _ = await process.communicate()

    text = out.decode()
    assert process.returncode == 0, text
    assert "until you ended it has arrived" in text
    assert "Traceback" not in text
    assert await nothing_is_left(tmp_path)


async def test_a_daemon_that_dies_is_told_with_its_last_words(start: Start, tmp_path: Path) -> None:
    process = await start()
    await first_line_with(process, "batch.first_seen")

    for daemon in await processes_naming(str(tmp_path)):
        os.kill(daemon, signal.SIGKILL)
    out, _ = await process.communicate()

    text = out.decode()
    assert process.returncode == 1
    assert "the daemon ended by itself with status -9; its log ends with:\n{" in text
    assert "Traceback" not in text
    assert await nothing_is_left(tmp_path)


async def test_a_reader_that_has_seen_enough_ends_it_quietly(start: Start, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = await start(out=writing)
    os.close(writing)
    os.close(reading)

    assert await asyncio.wait_for(process.wait(), HANG) == 1
    assert await nothing_is_left(tmp_path)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Open a terminal of 80 x 24: our side, the program's side."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    yield ours, theirs
    for side in (ours, theirs):
        os.close(side)


class Seen:
    """Collect what a terminal gets."""

    def __init__(self, side: int) -> None:
        self._side = side
        self.text = ""
        os.set_blocking(side, False)

    def has(self, word: str) -> bool:
        """Read what is there; tell whether a word has come."""
        with suppress(BlockingIOError, OSError):
            while chunk := os.read(self._side, 65536):
                self.text += chunk.decode(errors="replace")
        return word in self.text


async def test_on_a_terminal_it_draws_and_leaves_it_as_it_was(
    terminal: tuple[int, int], start: Start, until: Until, tmp_path: Path
) -> None:
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    seen = Seen(ours)
    process = await start(out=theirs, TERM="xterm-256color")
    await until(lambda: seen.has("first_seen"), what="the first event is drawn")

    process.send_signal(signal.SIGINT)
    await until(lambda: seen.has("Next, with"), what="the summary")

    assert await process.wait() == 0
    assert seen.text.index("\x1b[?1049h") < seen.text.index("renewals.csv")
    assert seen.text.rindex("\x1b[?1049l") < seen.text.index("until you ended it has arrived")
    assert seen.text.rindex("\x1b[?25h") > seen.text.rindex("\x1b[?25l")
    assert termios.tcgetattr(theirs) == before
    assert await nothing_is_left(tmp_path)


async def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    terminal: tuple[int, int], start: Start, until: Until
) -> None:
    ours, theirs = terminal
    seen = Seen(ours)
    process = await start(out=theirs, TERM="dumb")
    await until(lambda: seen.has("  batch.first_seen  "), what="the first line")

    process.send_signal(signal.SIGINT)
    await until(lambda: seen.has("Next, with"), what="the summary")

    assert await process.wait() == 0
    assert "\x1b" not in seen.text


class Forgetful(Arrivals):
    """The account of a consumer that loses the first `batch.failed` without a word."""

    lost = 0

    def note(self, arrived: Arrival | Refusal) -> None:
        super().note(arrived)
        if self.lost == 0 and self.accepted[-1].document["type"] == "batch.failed":
            self.lost += 1
            self.accepted.pop()


def silence() -> Present:
    """Return a presenter that nobody sees."""
    return Lines(Console(file=io.StringIO())).show


async def test_a_consumer_that_loses_an_end_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "LAST_TIMEOUT", 1.0)
    monkeypatch.setattr(stage, "Arrivals", Forgetful)

    found = await perform(5.0, nullcontext(silence()))

    assert not found.well
    assert len(found.missing) == 1
    assert "batch.failed" in found.missing[0]
    assert any("missing: bolna" in line for line in found.lines())


async def test_without_a_temporary_folder_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))

    with pytest.raises(DemoError, match="needs a temporary folder: No such file"):
        await perform(5.0, nullcontext(silence()))


def summary(
    totals: Totals = WHOLE, *, missing: Sequence[str] = (), interrupted: bool = False
) -> Summary:
    """Return what a show amounted to."""
    moment = Moment(doing=RUNNING, elapsed=60.0, seconds=60.0, totals=totals)
    return Summary(moment=moment, missing=missing, interrupted=interrupted)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_whole_one_is_well_and_fits_80_columns(interrupted: bool) -> None:
    totals = replace(WHOLE, median_latency=timedelta(milliseconds=9))

    told = list(summary(totals, interrupted=interrupted).lines())

    assert summary(totals).well
    assert max(map(len, told)) <= 80
    assert "  polls             1,240" in told
    assert "  median latency     9 ms" in told
    assert ("until you ended it" in told[0]) is interrupted


@pytest.mark.parametrize(
    "bad",
    [
        summary(missing=["bolna a.csv: batch.completed"]),
        summary(replace(WHOLE, gaps=1)),
        summary(replace(WHOLE, bad_signatures=1)),
    ],
)
def test_what_is_missing_broken_or_unsigned_is_not_well(bad: Summary) -> None:
    assert not bad.well
    assert "not all that was served" in next(bad.lines())


def test_a_duplicate_is_allowed() -> None:
    assert summary(replace(WHOLE, duplicates=1)).well


def test_what_is_missing_is_named() -> None:
    told = list(summary(missing=["bolna a.csv: batch.completed"]).lines())

    assert "  missing               1" in told
    assert "  missing: bolna a.csv: batch.completed" in told
