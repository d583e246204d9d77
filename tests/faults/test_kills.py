"""kill -9 at random moments: nothing lost, nothing invented, no other bytes under an id."""

import asyncio
import time
from random import Random

from monitor.simulator import SimulatedBolna
from monitor.simulator.bolna import random_bolna_life
from tests.conftest import Until
from tests.faults.accounting import account, shown
from tests.faults.consumer import Consumer
from tests.faults.daemon import Daemon
from tests.faults.figures import Figures, sized
from tests.faults.settings import config

KILLS = sized(short=20, full=500)
BATCHES = 20
LATEST_KILL = 1.2
"""Seconds after the start: before the first poll, amid polls, commits and sends."""
IN_FLIGHT = 8
"""Deliveries that one kill may cut off between the consumer's answer and our note of it."""


async def test_a_kill_at_any_moment_loses_nothing_and_invents_nothing(
    consumer: Consumer, daemon: Daemon, until: Until, figures: Figures
) -> None:
    dice = Random(7)
    async with SimulatedBolna(key="key") as bolna:
        moving = LATEST_KILL * KILLS
        ids = [f"{number:032x}" for number in range(BATCHES)]
        lives = {
            batch_id: bolna.put(
                batch_id, random_bolna_life(batch_id, seed=n, seconds=moving, clock=time.monotonic)
            )
            for n, batch_id in enumerate(ids)
        }
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, ids))

        for number in range(KILLS):
            started = len(daemon.lines("daemon.started"))
            await daemon.start()
            if number % 4:  # every fourth dies while it starts
                await until(
                    lambda n=started: len(daemon.lines("daemon.started")) > n,
                    seconds=20,
                    what="the daemon has started",
                )
            await asyncio.sleep(dice.uniform(0, LATEST_KILL))
            await daemon.kill()

        started = len(daemon.lines("daemon.started"))
        await daemon.start()
        await until(
            lambda: len(daemon.lines("daemon.started")) > started, seconds=20, what="the last start"
        )
        await until(
            lambda: all(life.over for life in lives.values()),
            seconds=moving + 30,
            what="lives over",
        )
        last = {batch_id: shown(life.current.document) for batch_id, life in lives.items()}

        def complete() -> bool:
            events = consumer.events()
            return all(
                (mine := events.get(("/sources/bolna", batch_id)))
                and shown(mine[-1]["data"]) == last[batch_id]
                and mine[-1]["data"]["settled"]
                for batch_id in ids
            )

        await until(complete, seconds=30, what="everything that was served has arrived")
        await until(  # the last poll's events come one after the other
            lambda: daemon.stored().events <= consumer.bodies.keys(),
            seconds=30,
            what="everything that is stored has arrived",
        )
        status, seconds = await daemon.stop()
        served = {
            ("/sources/bolna", batch_id): [
                shown(s.document) for s in bolna.served if s.batch == batch_id and s.body
            ]
            for batch_id in ids
        }

    found = account(
        consumer.accepted, daemon.stored(), served, bad_signatures=consumer.bad_signatures
    )
    figures.add(
        "kill -9 at random, SQLite", n=KILLS, unit="kills", failures=found.failures,
        detail=str(found),
    )  # fmt: skip
    assert found.failures == 0, found
    assert found.duplicates <= KILLS * IN_FLIGHT
    assert status == 0
    assert seconds < 5
