"""A receiver that is dead for a while: nothing lost, order kept, the others not delayed."""

import time

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from monitor.simulator.lives import Life, step
from tests.accounting import Account, account, served_states
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.figures import Figures, sized
from tests.faults.settings import config
from tests.faults.steady.latency import p99
from tests.patient import HANG

DEAD = float(sized(short=6, full=60))
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


async def test_a_dead_receiver_delays_nobody_and_misses_nothing(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures
) -> None:
    dead = Consumer()
    await dead.start()
    dead.status = 503
    ids = [f"{number:032x}" for number in range(BATCHES)]
    async with SimulatedBolna(key="key") as bolna:
        lives = [bolna.put(batch_id, life(batch_id, 3 * DEAD)) for batch_id in ids]
        receivers = {"healthy": consumer.url, "dead": dead.url}
        daemon.configure(config(bolna.base_url, receivers, ids, polling='interval = "100ms"'))
        await daemon.start()
        await until(lambda: len(consumer.accepted) > BATCHES, what="events arrive")

        began = time.monotonic()
        await until(lambda: time.monotonic() > began + DEAD, seconds=DEAD + HANG, what="time")
        assert not dead.accepted
        dead.status = 200
        lifted = time.monotonic()
        await until(lambda: all(one.over for one in lives), seconds=3 * DEAD + HANG, what="the end")
        over = time.monotonic()

        def settle() -> Account:
            served = served_states(bolna, ids)
            bad = consumer.bad_signatures + dead.bad_signatures
            both = [*consumer.accepted, *dead.accepted]
            return account(
                both, daemon.stored(), served, receivers=["dead", "healthy"], bad_signatures=bad
            )

        def ended() -> bool:
            last = {s.batch: s.document["status"] for s in bolna.served if s.body}
            return set(last.values()) == {"completed"} and settle().lost == 0

        await until(ended, seconds=300 + HANG, what="all arrived at both")
        status = await daemon.stop()
        found = settle()
    await dead.stop()

    settled = lifted + (over - lifted) / 3  # the backlog of the dead one is gone by then
    during = p99(consumer, "healthy", began, lifted)
    without = p99(consumer, "healthy", settled, over)
    figures.add(
        "a dead receiver", n=round(DEAD), unit="s", failures=found.failures,
        detail=f"healthy p99 {during * 1000:.0f} ms, without a dead one {without * 1000:.0f} ms;"
        f" {found}",
    )  # fmt: skip
    assert found.failures == 0, found
    assert found.duplicates == 0
    assert during <= 2 * without + NOISE
    assert status == 0


NOISE = 0.0 if DEAD >= 60 else 0.05
"""Seconds that the short run forgives: its 99th percentile is one of a few hundred deliveries."""
