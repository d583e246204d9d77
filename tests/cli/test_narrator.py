"""What `monitor run` tells a terminal, besides the log."""

import os
import pty
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from monitor import __version__
from monitor.cli.narrator import introduce
from monitor.config.load import load
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests import patient, programs
from tests.conftest import Until
from tests.consumer import Consumer
from tests.programs import Program

Start = Callable[[], Awaitable[Program]]


class Screen:
    """A terminal, and what it was sent, without its colours."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self._text = ""

    @property
    def lines(self) -> list[str]:
        """Return the whole lines by now."""
        with suppress(BlockingIOError):
            while part := os.read(self._ours, 65536):
                self._text += part.decode()
        *whole, _ = re.sub(r"\x1b\[[0-9;]*m", "", self._text).split("\r\n")
        return whole

    def lines_with(self, word: str) -> list[str]:
        """Return those that hold a word."""
        return [line for line in self.lines if word in line]

    def has(self, word: str) -> Callable[[], bool]:
        """Return the condition that a line holds a word."""
        return lambda: bool(self.lines_with(word))

    def close(self) -> None:
        os.close(self._ours)
        os.close(self.theirs)


@pytest.fixture
def screen() -> Iterator[Screen]:
    found = Screen()
    yield found
    found.close()


@pytest.fixture
def configure(in_force: Path) -> Callable[..., None]:
    """Put a config in force all of whose secrets are there, with these log settings and batches."""
    source, _, rest = in_force.read_text().partition("[sources.vogent]")
    receiver = "[receivers.crm]" + rest.partition("[receivers.crm]")[2].partition("[receivers.")[0]

    def write(*batches: str, log_format: str = "auto") -> None:
        declared = "".join(f'[[batches]]\nsource = "bolna"\nid = "{one}"\n' for one in batches)
        log = f'[monitor]\nlog_format = "{log_format}"\n'
        in_force.write_text(f'{log}{source}{declared}{receiver}[[routes]]\nreceiver = "crm"\n')

    write()
    return write


@pytest.fixture
async def start(screen: Screen) -> AsyncIterator[Start]:
    """Start daemons on the screen; what still runs at the end is killed."""
    started: list[Program] = []

    async def run() -> Program:
        started.append(
            await programs.start(
                "run",
                module=patient.__name__,
                stdout=screen.theirs,
                stderr=screen.theirs,
                env={**os.environ, "COLUMNS": "140"},
            )
        )
        return started[-1]

    yield run
    for child in started:
        child.kill()
        await child.wait()


async def test_it_says_what_is_watched_and_who_is_told_and_each_event_with_its_deliveries(
    configure: Callable[..., None],
    start: Start,
    screen: Screen,
    until: Until,
    bolna: SimulatedBolna,
) -> None:
    bolna.put("b1", bolna_document("b1", status="queued", file_name="a\x1b[2J.csv"))
    configure("b1")

    child = await start()
    await until(screen.has("first_seen"))
    bolna.put("b1", bolna_document("b1", status="running", file_name="a\x1b[2J.csv"))
    await until(screen.has("status_changed"))
    child.send_signal(signal.SIGINT)

    assert await child.wait() == 0
    told = screen.lines
    at = told.index(f"monitor {__version__} watches")
    assert told[at + 1 : at + 5] == [
        "  bolna  bolna: 1 batch",
        "and tells",
        "  crm  webhook: everything",
        "Ctrl-C ends it; beside it, in another terminal: `monitor test crm`, `monitor list`",
    ]
    (changed,) = screen.lines_with("status_changed")
    so = r"status_changed  a\ufffd\[2J\.csv +queued -> running  -> crm \d.*s"
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  {so}", changed)
    assert screen.lines_with("daemon.stopped")


async def test_the_plain_log_is_the_log_alone_and_a_reload_turns_the_rest_on(
    configure: Callable[..., None],
    start: Start,
    screen: Screen,
    until: Until,
    bolna: SimulatedBolna,
    consumer: Consumer,
) -> None:
    bolna.put("b1", bolna_document("b1"))
    bolna.put("b2", bolna_document("b2", file_name="told.csv"))
    configure("b1", log_format="console")
    child = await start()
    await until(lambda: len(consumer.events) == 1)
    before = screen.lines

    configure("b1", "b2", log_format="auto")
    child.send_signal(signal.SIGHUP)
    await until(screen.has("told.csv"))

    assert all("[info" in line or "[warning" in line for line in before)
    assert screen.lines_with("bolna: 2 batches")


async def test_a_receiver_that_is_down_holds_no_line_up(
    configure: Callable[..., None],
    start: Start,
    screen: Screen,
    until: Until,
    bolna: SimulatedBolna,
    consumer: Consumer,
) -> None:
    consumer.status = 503
    bolna.put("b1", bolna_document("b1"))
    configure("b1")

    await start()

    await until(screen.has("first_seen"))
    (line,) = screen.lines_with("first_seen")
    assert line.endswith("-> crm held")


def introduction(text: str, path: Path, **numbers: int) -> list[str]:
    path.write_text(text)
    return [line.plain for line in introduce(load(path), Counter(numbers))]


BOLNA = '[sources.b]\nprovider = "bolna"\napi_key = "k"\n'
SLACK = '[receivers.ops]\nkind = "slack"\nwebhook_url_env = "X"\n'


def test_nothing_watched_says_how_to_change_that(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"

    assert introduction("", path)[-2] == (
        "nothing is watched: give each account a [sources.NAME] table"
    )
    assert introduction(BOLNA, path)[-2] == (
        'no batch is watched yet: `monitor add b ID` watches one, or discover = "all" in'
        " [sources.b] all of them, and those to come"
    )
    told = introduction(BOLNA + 'discover = "all"\n', path)
    assert told[1] == "  b  bolna: no batch yet, looks for new ones every 5m"
    assert told[-2] == "no batch is watched yet: what discovery finds is told here"
    assert "no batch is watched yet" not in "".join(introduction(BOLNA, path, b=1200))


def test_whom_it_tells_is_said_as_the_routes_have_it(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    some = '[[routes]]\nreceiver = "ops"\nmatchers = ["type = batch.failed", "team = a"]\n'
    more = '[[routes]]\nreceiver = "ops"\nmatchers = ["phase = paused"]\n'

    assert "and tells nobody: see [[routes]]" in introduction(BOLNA, path, b=1)
    assert "  ops  slack: nothing: no route leads to it" in introduction(SLACK, path)
    assert '  ops  slack: type = "batch.failed" and team = "a" or phase = "paused"' in introduction(
        SLACK + some + more, path
    )
    assert introduction(BOLNA, path, b=1)[-1].endswith("in another terminal: `monitor list`")
