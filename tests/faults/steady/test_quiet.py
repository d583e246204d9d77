"""A provider that asks for quiet gets it, however many batches it has."""

import time

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.figures import Figures, sized
from tests.faults.settings import config
from tests.patient import HANG
from tests.simulator.faults import Fault

SECONDS = float(sized(short=2, full=10))
BATCHES = 20
ASKED = 300
"""Seconds of quiet."""


async def test_a_provider_that_asks_for_quiet_gets_it(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures
) -> None:
    ids = [f"{number:032x}" for number in range(BATCHES)]
    async with SimulatedBolna(key="key") as bolna:
        for number in ids:
            bolna.put(number, bolna_document(number, status="running", valid_contacts=9))
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, ids))
        await daemon.start()
        await until(lambda: len(consumer.accepted) >= BATCHES, what="all are told")

        def refused() -> int:
            return sum(one.fault == "server_error" for one in bolna.served)

        bolna.fault(Fault.server_error(503, retry_after=ASKED))
        await until(lambda: refused() > 0, what="the first is refused")
        began = time.monotonic()
        await until(lambda: time.monotonic() > began + SECONDS, seconds=SECONDS + HANG, what="time")
        asked = refused()
        status = await daemon.stop()

    figures.add(
        "a provider that asks for quiet", n=round(SECONDS), unit="s", failures=int(asked > BATCHES),
        detail=f"{asked} requests of {BATCHES} batches after the first 503",
    )  # fmt: skip
    assert asked <= BATCHES
    assert status == 0
