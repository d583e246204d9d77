"""kill -9 at random moments: nothing lost, nothing invented, no other bytes under an id."""

import asyncio
import json
import os
import time
from random import Random
from typing import Any

from monitor.simulator import SimulatedBolna
from monitor.simulator.bolna import random_bolna_life

KILLS = int(os.environ.get("MONITOR_KILLS", "20"))
BATCHES = 20
LATEST_KILL = 1.2
"""Seconds after the start: before the first poll, amid polls, commits and sends."""
IN_FLIGHT = 8
"""Deliveries that one kill may cut off between the consumer's answer and our note of it."""


def shown(document: dict[str, Any]) -> tuple[str, str]:
    """Reduce a document or an event's data to what observation compares."""
    counts = document.get("counts", document.get("execution_status")) or {}
    return document["status"], json.dumps({k: v for k, v in counts.items() if v}, sort_keys=True)


def phantoms(events: list[dict[str, Any]], served: list[tuple[str, str]]) -> int:
    """Count the events whose state the provider never showed, or not in that order."""
    place, count = 0, 0
    for event in events:
        state = shown(event["data"])
        try:
            place = served.index(state, place)
        except ValueError:
            count += 1
    return count


async def test_a_kill_at_any_moment_loses_nothing_and_invents_nothing(
    consumer: Any, daemon: Any, until: Any
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
        daemon.configure(config(bolna.base_url, consumer.url, ids))

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
            lambda: daemon.stored() <= consumer.bodies.keys(),
            seconds=30,
            what="everything that is stored has arrived",
        )
        status, seconds = await daemon.stop()
        served = {
            batch_id: [shown(s.document) for s in bolna.served if s.batch == batch_id and s.body]
            for batch_id in ids
        }

    invented = sum(
        phantoms(events, served[batch_id]) for (_, batch_id), events in consumer.events().items()
    )
    lost = len(daemon.stored() - consumer.bodies.keys())
    invented += len(consumer.bodies.keys() - daemon.stored())
    print(
        f"n={KILLS} kills, {len(consumer.bodies)} events: lost {lost}, gaps {consumer.gaps()},"
        f" phantom {invented}, other bytes {consumer.other_bytes},"
        f" duplicates {consumer.duplicates}; 95 % bound {3 / KILLS:.3f} a kill"
    )
    assert (lost, consumer.gaps(), invented, consumer.other_bytes) == (0, 0, 0, 0)
    assert consumer.duplicates <= KILLS * IN_FLIGHT
    assert status == 0
    assert seconds < 5


def config(provider_url: str, consumer_url: str, ids: list[str]) -> str:
    """Return a config that polls ten times a second."""
    declared = "".join(f'[[batches]]\nsource = "bolna"\nid = "{batch_id}"\n' for batch_id in ids)
    return f"""
[polling]
interval = "100ms"
settled_interval = "100ms"
[sources.bolna]
provider = "bolna"
api_key = "key"
base_url = "{provider_url}"
allow_http = true
allow_private = true
rate_limit = "100000/min"
[receivers.crm]
kind = "webhook"
url = "{consumer_url}"
secret = "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qga2V5ISE="
allow_http = true
allow_private = true
[[routes]]
receiver = "crm"
{declared}"""
