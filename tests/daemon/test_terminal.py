"""A hang-up of the terminal, and every other SIGHUP: of a real one, whose other side is closed."""

import os
import pty
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Until
from tests.daemon import on_terminal
from tests.daemon.conftest import MakeProcess
from tests.daemon_process import DaemonProcess
from tests.engine.rig import Rig


@pytest.fixture
def terminal() -> Iterator[tuple[str, Callable[[], None]]]:
    """Open a terminal; return its name, and what hangs it up."""
    ours, theirs = pty.openpty()
    name, sides = os.ttyname(theirs), {ours, theirs}

    def hang_up() -> None:
        while sides:
            os.close(sides.pop())

    yield name, hang_up
    hang_up()


async def start(daemon: DaemonProcess, terminal: str, until: Until, **environment: str) -> None:
    environment |= {on_terminal.VARIABLE: terminal}
    await daemon.start(on_terminal.__name__, environment=environment)
    await until(daemon.started)


async def test_it_stops_cleanly_when_its_terminal_is_gone(
    rig: Rig, process: MakeProcess, until: Until, terminal: tuple[str, Callable[[], None]]
) -> None:
    name, hang_up = terminal
    daemon = process(rig)
    await start(daemon, name, until)

    hang_up()

    assert await daemon.end() == 0
    events = [line["event"] for line in daemon.lines()]
    assert events == ["daemon.started", "daemon.stopping", "daemon.stopped"]


async def test_it_stops_as_cleanly_when_its_log_goes_to_the_terminal(
    rig: Rig, process: MakeProcess, until: Until, terminal: tuple[str, Callable[[], None]]
) -> None:
    name, hang_up = terminal
    daemon = process(rig)
    output = os.open(name, os.O_WRONLY | os.O_NOCTTY)
    rig.show("b1")
    rig.tail = '[[batches]]\nsource = "bolna"\nid = "b1"\n'
    rig.write()
    await daemon.start(
        on_terminal.__name__, environment={on_terminal.VARIABLE: name}, output=output
    )
    os.close(output)
    await until(lambda: rig.crm.types == ["batch.first_seen"])

    hang_up()

    assert await daemon.end() == 0


async def test_any_other_sighup_reloads_though_a_terminal_controls_it(
    rig: Rig, process: MakeProcess, until: Until, terminal: tuple[str, Callable[[], None]]
) -> None:
    name, _ = terminal
    daemon = process(rig)
    await start(daemon, name, until)

    daemon.tell(signal.SIGHUP)

    await until(lambda: daemon.lines("config.reloaded") != [])
    assert await daemon.stop() == 0


async def test_who_ignores_hang_ups_outlives_the_terminal_and_reloads(
    rig: Rig, process: MakeProcess, until: Until, terminal: tuple[str, Callable[[], None]]
) -> None:
    name, hang_up = terminal
    daemon = process(rig)
    await start(daemon, name, until, **{on_terminal.IGNORED: "1"})

    hang_up()
    daemon.tell(signal.SIGHUP)

    await until(lambda: daemon.lines("config.reloaded") != [])
    assert daemon.alive
    assert await daemon.stop() == 0
