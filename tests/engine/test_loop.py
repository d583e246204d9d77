import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import uvloop

from monitor.core.errors import StorageError
from monitor.engine.loop import Bell
from monitor.engine.outage import Outage
from tests.engine.conftest import Log
from tests.patient import HANG

START = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)
ERROR = StorageError("the disk is full")


def test_an_outage_is_told_at_its_start_every_ten_minutes_and_at_its_end(log: Log) -> None:
    outage = Outage("writer")

    for minute in range(25):
        outage.began(ERROR, at=START + timedelta(minutes=minute))
    outage.ended()
    outage.ended()

    failing = {
        "event": "database.failing",
        "loop": "writer",
        "reason": "the disk is full",
        "log_level": "error",
    }
    recovered = {"event": "database.recovered", "loop": "writer", "log_level": "info"}
    assert log == [failing] * 3 + [recovered]


def test_without_an_outage_there_is_nothing_to_tell(log: Log) -> None:
    Outage("writer").ended()

    assert log == []


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_bell_that_is_due_as_it_is_set_rings_and_is_set_again(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """A machine that is busy, or was asleep, comes so late that the moment has passed."""

    async def ring_twice() -> None:
        bell = Bell()
        bell.ring_in(-1)
        bell.ring_in(0.01)
        async with asyncio.timeout(HANG):
            await bell.wait()
            bell.ring_in(0.01)
            await bell.wait()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(ring_twice())
