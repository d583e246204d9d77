"""The scheduler falls silent in the ways APScheduler does; the daemon does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from monitor.daemon import bells
from tests.conftest import Until
from tests.engine.rig import Rig

Log = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace a silent scheduler after 2 s, not 5: its jobs come every second."""
    monkeypatch.setattr(bells, "SILENCE", 2.0)


@pytest.mark.parametrize("hours", [1, -1, 4800])
async def test_a_step_of_the_wall_clock_delays_no_poll_and_the_bells_ring_on(
    rig: Rig, until: Until, hours: int
) -> None:
    rig.polling = 'interval = "500ms"\ndeadline = "60s"'
    rig.show("b1")
    with freeze_time(datetime.now(UTC), tick=True, real_asyncio=True) as wall:
        await rig.start()
        await rig.add("b1")
        await until(lambda: rig.crm.types == ["batch.first_seen"])
        rig.silence()

        wall.move_to(datetime.now(UTC) + timedelta(hours=hours))
        polls, silent_since = rig.polls("b1"), rig.daemon.bells._rang_at

        await until(lambda: rig.polls("b1") > polls)
        await until(lambda: rig.daemon.bells._rang_at > silent_since + 1)
        rig.show("b1", execution_status={"completed": 7})
        await until(lambda: rig.crm.types[-1] == "batch.counts_changed")
        await rig.stop()


async def test_after_an_exception_in_its_own_loop_the_scheduler_is_replaced(
    rig: Rig, until: Until, capsys: Log
) -> None:
    await rig.start()
    scheduler = rig.daemon.bells._scheduler
    await until(lambda: rig.daemon.bells._rang_at > 0)

    def fail(*_: Any) -> None:
        raise RuntimeError("the scheduler's own loop")

    scheduler._jobstores["default"].get_due_jobs = fail

    await until(lambda: rig.daemon.bells._scheduler is not scheduler)
    rang_at = rig.daemon.bells._rang_at
    await until(lambda: rig.daemon.bells._rang_at > rang_at)
    assert "scheduler.replanned" in capsys.readouterr().out


async def test_a_scheduler_that_rings_is_left_alone(rig: Rig, until: Until, capsys: Log) -> None:
    await rig.start()
    scheduler, began = rig.daemon.bells._scheduler, rig.daemon.bells._rang_at

    await until(lambda: rig.daemon.bells._rang_at > began + bells.SILENCE + 1)

    assert rig.daemon.bells._scheduler is scheduler
    assert "scheduler.replanned" not in capsys.readouterr().out
