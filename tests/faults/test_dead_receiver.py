"""A receiver that is dead for a while: nothing lost, order kept, the others not delayed."""

import json
import os
import time
from datetime import datetime
from typing import Any

from monitor.simulator import SimulatedBolna
from monitor.simulator.bolna import bolna_document
from monitor.simulator.lives import Life, step

DEAD = float(os.environ.get("MONITOR_DEAD_SECONDS", "6"))
BATCHES = 20
STEP = 0.4
"""Seconds between two changes of a batch."""


def life(batch_id: str, seconds: float) -> Life:
    """Finish one call every STEP seconds."""
    steps = int(seconds / STEP)
    shown = [
        bolna_document(
            batch_id,
            status="running",
            valid_contacts=steps,
            execution_status={"completed": done, "queued": steps - done},
        )
        for done in range(steps)
    ]
    last = bolna_document(
        batch_id, status="completed", valid_contacts=steps, execution_status={"completed": steps}
    )
    return Life(
        [*(step(document, lasts=STEP) for document in shown), step(last)], clock=time.monotonic
    )


def p99(consumer: Any, path: str, begin: float, end: float) -> float:
    """Return the 99th percentile of reading received -> accepted, in seconds."""
    wall = time.time() - time.monotonic()
    delays = sorted(
        at + wall - datetime.fromisoformat(json.loads(consumer.bodies[event])["time"]).timestamp()
        for at, where, event in consumer.received
        if where == path and begin <= at < end
    )
    found: float = delays[int(len(delays) * 0.99)]
    return found


async def test_a_dead_receiver_delays_nobody_and_misses_nothing(
    consumer: Any, daemon: Any, until: Any
) -> None:
    dead = type(consumer)()
    await dead.start()
    dead.answer_with = 503
    ids = [f"{number:032x}" for number in range(BATCHES)]
    async with SimulatedBolna(key="key") as bolna:
        lives = [bolna.put(batch_id, life(batch_id, 3 * DEAD)) for batch_id in ids]
        daemon.configure(config(bolna.base_url, consumer.url, dead.url, ids))
        await daemon.start()
        await until(lambda: len(consumer.received) > BATCHES, seconds=20, what="events arrive")

        began = time.monotonic()
        await until(lambda: time.monotonic() > began + DEAD, seconds=DEAD + 1, what="time")
        assert not dead.received
        dead.answer_with = 200
        lifted = time.monotonic()
        await until(lambda: all(one.over for one in lives), seconds=3 * DEAD + 10, what="the end")
        over = time.monotonic()
        await until(lambda: dead.bodies == consumer.bodies, seconds=320, what="all arrived at both")
        status, _ = await daemon.stop()
    await dead.stop()

    settled = lifted + (over - lifted) / 3  # the backlog of the dead one is gone by then
    during = p99(consumer, "healthy", began, lifted)
    without = p99(consumer, "healthy", settled, over)
    lost = [len(daemon.stored() - one.bodies.keys()) for one in (consumer, dead)]
    print(
        f"{len(consumer.bodies)} events, one receiver dead for {DEAD:.0f} s: healthy p99"
        f" {during * 1000:.0f} ms, without a dead one {without * 1000:.0f} ms,"
        f" ratio {during / without:.2f}; lost {sum(lost)}, gaps {consumer.gaps()} and {dead.gaps()}"
    )
    assert lost == [0, 0]
    assert (consumer.gaps(), dead.gaps()) == (0, 0)
    assert (consumer.duplicates, dead.duplicates) == (0, 0)
    assert during <= 2 * without + NOISE
    assert status == 0


NOISE = 0.0 if DEAD >= 60 else 0.05
"""Seconds that the short run forgives: its 99th percentile is one of a few hundred deliveries."""


def config(provider_url: str, healthy_url: str, dead_url: str, ids: list[str]) -> str:
    """Return a config with two receivers of everything."""
    receivers = "".join(
        f"""
[receivers.{name}]
kind = "webhook"
url = "{url}/{name}"
secret = "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qga2V5ISE="
allow_http = true
allow_private = true
[[routes]]
receiver = "{name}"
"""
        for name, url in (("healthy", healthy_url), ("dead", dead_url))
    )
    declared = "".join(f'[[batches]]\nsource = "bolna"\nid = "{batch_id}"\n' for batch_id in ids)
    return f"""
[polling]
interval = "100ms"
[sources.bolna]
provider = "bolna"
api_key = "key"
base_url = "{provider_url}"
allow_http = true
allow_private = true
rate_limit = "100000/min"
{receivers}{declared}"""
