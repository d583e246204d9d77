"""kill -9 at random and at named points: nothing lost, nothing invented, no other bytes."""

import asyncio
import os
import signal
import sqlite3
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import closing
from random import Random

from aiohttp import web

from monitor.simulator.bolna import SimulatedBolna
from tests.accounting import Account, account, served_states
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess, start_program
from tests.faults import crashing
from tests.faults.crashing import POINTS, Cause, Point
from tests.faults.figures import FULL, TIMED, Figures, sized
from tests.faults.kills import commands
from tests.faults.settings import config
from tests.faults.unrest import AGENT, Unrest
from tests.patient import HANG
from tests.programs import PIPE, STDOUT
from tests.simulator.random_lives import random_bolna_life

KILLS = sized(short=4, full=180)
"""At random moments."""
PASSES = sized(short=1, full=8)
"""Kills at each named point."""
STOPS = sized(short=1, full=20)
"""Clean ones."""
AIM = "MONITOR_CRASH_POINTS"
"""The environment variable that says where to kill instead: `before send/7, after record/1`."""
IN_FLIGHT = 8 if TIMED else 8 + 16 * 8
"""Deliveries that one kill may cut off between the consumer's answer and our note of it.

What waits to be noted is bounded for each slot; where nothing else runs hardly any does.
"""
LATEST_KILL = 1.2
"""Seconds after the start: before the first poll, amid polls, commits and sends."""
REST = 60 if TIMED else HANG
"""Seconds to come to rest: less than a delivery's lease, which a kill must not cost."""
PATIENT = 'timeout = "60s"'
WORK = Cause.WORK
DISCOVER = f'discover = {{ agents = ["{AGENT}"] }}'


def named(numbers: range) -> list[str]:
    """Return batch ids."""
    return [f"{number:032x}" for number in numbers]


def at_rest(daemon: DaemonProcess, settled: int, since: float) -> bool:
    """Tell whether so many batches have settled, and nothing is owed to anybody.

    Each was read since the last change: one that had ended before may show it for the first time,
    and a stop drops what is read at that moment.
    """
    with closing(sqlite3.connect(f"file:{daemon.folder}/monitor.db?mode=ro", uri=True)) as found:
        batches = "SELECT count(*) FROM batches WHERE settled_at IS NOT NULL AND last_poll_at >= ?"
        owed = "SELECT count(*) FROM deliveries WHERE state = 'pending'"
        row = found.execute(f"SELECT ({batches}), ({owed})", (since * 1000,)).fetchone()
    return bool(row == (settled, 0))


async def come_to_rest(
    daemon: DaemonProcess,
    bolna: SimulatedBolna,
    consumer: Consumer,
    until: Until,
    ids: Collection[str],
) -> Account:
    """Let the daemon do what is left, stop it, and settle the account."""
    since = time.time()
    await until(lambda: at_rest(daemon, len(ids), since), seconds=REST, what="all at rest")
    assert await daemon.stop() == 0
    assert daemon.stopped_in < 5 or not TIMED
    assert daemon.lines("lane.repaired") == []
    served = served_states(bolna, ids)
    bad = consumer.bad_signatures
    return account(
        consumer.accepted, daemon.stored(), served, receivers=["crm"], bad_signatures=bad
    )


async def test_a_kill_at_any_moment_loses_nothing_and_invents_nothing(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures
) -> None:
    dice = Random(7)
    async with SimulatedBolna(key="key") as bolna:
        moving = LATEST_KILL * KILLS
        unrest = Unrest(bolna, named(range(6)), consumer=consumer)
        lives = {
            batch_id: bolna.put(
                batch_id, random_bolna_life(batch_id, seed=n, seconds=moving, clock=time.monotonic)
            )
            for n, batch_id in enumerate(named(range(6, 20)))
        }
        ids = [*unrest.ids, *lives]
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, ids))

        for number in range(KILLS):
            answers = bolna.record.answers
            await daemon.start()
            if number % 4:  # every fourth dies while it starts
                await until(lambda a=answers: bolna.record.answers > a, what="a first poll")
            await asyncio.sleep(dice.uniform(0, LATEST_KILL))
            await daemon.kill()

        unrest.end()
        await daemon.start()
        await until(
            lambda: all(life.over for life in lives.values()),
            seconds=moving + HANG,
            what="the ends",
        )
        found = await come_to_rest(daemon, bolna, consumer, until, ids)

    figures.add(
        "kill -9 at random, SQLite", n=KILLS, unit="kills", failures=found.failures,
        detail=str(found),
    )  # fmt: skip
    assert found.failures == 0, found.complaints
    assert found.duplicates <= KILLS * IN_FLIGHT


async def test_a_kill_at_any_named_point_loses_nothing_and_invents_nothing(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures
) -> None:
    kills = list(planned_kills(Random(8)))
    async with SimulatedBolna(key="key") as bolna:
        unrest = Unrest(bolna, named(range(6)), consumer=consumer)
        receivers = {"crm": consumer.url}
        daemon.configure(
            config(bolna.base_url, receivers, unrest.ids, source=DISCOVER, receiver=PATIENT)
        )

        for point, passing in kills:
            answers = bolna.record.answers
            pause = web.Response(status=429, headers={"retry-after": "1"})
            consumer.script = deque([pause] if point.cause is Cause.HOLD else [])
            if point.cause is Cause.FIND:
                unrest.add(f"{len(unrest.ids):032x}", listed=True)
            await daemon.start(
                crashing.__name__, environment={crashing.VARIABLE: f"{point.name}/{passing}"}
            )
            if point.cause is Cause.STOP:
                await until(lambda a=answers: bolna.record.answers > a, what="a first poll")
                daemon.tell(signal.SIGTERM)
            await until(lambda: not daemon.alive, what=f"dead {point.name}/{passing}")
            assert await daemon.end() == -signal.SIGKILL, daemon.log.read_text()

        unrest.end()
        await daemon.start()
        found = await come_to_rest(daemon, bolna, consumer, until, unrest.ids)

    figures.add(
        "kill -9 at named points, SQLite", n=len(kills), unit="kills", failures=found.failures,
        detail=f"{len({point for point, _ in kills})} points; {found}",
    )  # fmt: skip
    assert found.failures == 0, found.complaints
    assert found.duplicates <= len(kills) * IN_FLIGHT


def planned_kills(dice: Random) -> Iterator[tuple[Point, int]]:
    """Yield points and passings: all of them, or one for each step and for each other cause."""
    if aim := os.environ.get(AIM):
        for name, _, passing in (text.partition("/") for text in aim.split(", ")):
            yield next(point for point in POINTS if point.name == name), int(passing)
        return
    by_cause = {cause: [point for point in POINTS if point.cause is cause] for cause in Cause}
    if not FULL:
        steps = zip(by_cause[WORK][::2], by_cause[WORK][1::2], strict=True)  # before it, after it
        by_cause = {cause: [dice.choice(points)] for cause, points in by_cause.items()}
        by_cause[WORK] = [dice.choice(step) for step in steps]
    for _ in range(PASSES):
        for cause, points in by_cause.items():
            for point in points:
                more = dice.randint(0, 2) if cause is WORK else 0
                yield point, point.passing + more


async def test_without_a_fault_nothing_comes_twice_not_even_over_stops(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures
) -> None:
    async with SimulatedBolna(key="key") as bolna:
        unrest = Unrest(bolna, named(range(12)), consumer=consumer)
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, unrest.ids))

        for _ in range(STOPS):
            enough = len(consumer.accepted) + 60
            await daemon.start()
            await until(lambda n=enough: len(consumer.accepted) > n, what="events")
            await daemon.stop()
        unrest.end()
        await daemon.start()
        found = await come_to_rest(daemon, bolna, consumer, until, unrest.ids)

    failures = found.failures + found.duplicates
    figures.add(
        f"no fault, {STOPS} clean stops", n=found.events, unit="events", failures=failures,
        detail=str(found),
    )  # fmt: skip
    assert found.failures == 0, found.complaints
    assert found.duplicates == 0, found


async def test_commands_that_write_beside_the_daemon_disturb_nothing(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures
) -> None:
    rounds = sized(short=8, full=200)
    async with SimulatedBolna(key="key") as bolna:
        unrest = Unrest(bolna, named(range(12)), consumer=consumer)
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, unrest.ids[:6]))
        await daemon.start()
        await until(lambda: len(consumer.accepted) > 10, what="events")

        writing = await start_program(
            *(str(daemon.config), str(rounds), *unrest.ids[6:]),
            module=commands.__name__,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await asyncio.wait_for(writing.communicate(), 5 * HANG)
        unrest.end()
        found = await come_to_rest(daemon, bolna, consumer, until, unrest.ids)

    trouble = [daemon.lines(event) for event in ("database.failing", "poll.refused_by_database")]
    figures.add(
        "commands beside the daemon", n=3 * rounds + 1, unit="commands",
        failures=found.failures + sum(map(len, trouble)), detail=str(found),
    )  # fmt: skip
    assert writing.returncode == 0, output.decode()
    assert trouble == [[], []]
    assert found.failures == 0, found.complaints
    assert found.duplicates <= 3 * rounds
