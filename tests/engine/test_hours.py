"""Calling hours of a source, through the whole daemon."""

from datetime import datetime, timedelta

from tests.conftest import Until
from tests.engine.rig import Rig

FIRST, STALLED = "batch.first_seen", "batch.stalled"
CLOSED = "hours = {{ timezone = 'UTC', days = [{{ dayOfWeek = {day}, timeSlots = [{slot}] }}] }}"
OFFICE = CLOSED.format(
    day="[0, 1, 2, 3, 4, 5, 6]", slot="{ startTime = '08:00', endTime = '18:00' }"
)


def evening(now: datetime) -> timedelta:
    """Return how long it is until 17:50 of the next day."""
    return now.replace(hour=17, minute=50, second=0, microsecond=0) + timedelta(days=1) - now


async def polled_again(rig: Rig, until: Until) -> list[str]:
    """Return what was told, once it was polled several times more."""
    polls = rig.polls("b1")
    await until(lambda: rig.polls("b1") > polls + 3)
    return rig.crm.types


async def test_an_evening_is_no_standstill_and_a_morning_without_calls_is_one(
    any_rig: Rig, until: Until
) -> None:
    rig = any_rig
    rig.bolna_more = OFFICE
    rig.clock.advance(seconds=evening(rig.clock.now()).total_seconds())
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.crm.types == [FIRST])

    await rig.advance(until, polls_too=True, minutes=40)
    assert await polled_again(rig, until) == [FIRST]
    await rig.advance(until, polls_too=True, hours=13, minutes=35)
    assert await polled_again(rig, until) == [FIRST]  # it is 8:05
    await rig.advance(until, polls_too=True, minutes=10)
    await until(lambda: rig.crm.types == [FIRST, STALLED])


async def test_a_change_of_hours_is_taken_over_though_nothing_moves_and_nobody_polls(
    any_rig: Rig, until: Until
) -> None:
    rig = any_rig
    rig.polling = 'interval = "50ms"\nidle_interval = "1d"\ndeadline = "60s"'
    day = (rig.clock.now() + timedelta(days=3)).isoweekday() % 7
    rig.bolna_more = CLOSED.format(day=day, slot="{ startTime = '08:00', endTime = '18:00' }")
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.crm.types == [FIRST])
    await rig.advance(until, polls_too=True, minutes=20)
    await rig.round()
    assert rig.polls("b1") == 1

    rig.bolna_more = ""
    rig.write()
    rig.reload_bell.ring()
    await until(lambda: rig.crm.types == [FIRST, STALLED])

    assert await rig.value("SELECT schedule FROM batches") is None
    assert await rig.value("SELECT snapshots FROM batches") == 1
