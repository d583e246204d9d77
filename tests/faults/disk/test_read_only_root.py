"""A root that can only be read, as in a container: the daemon has no folder for what it spills."""

import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.figures import Figures
from tests.faults.settings import config

BATCHES = 1000
ELSEWHERE = "/dev/shm"  # noqa: S108 (the folder inside has a random name and is private)
READ_ONLY = [
    *("unshare", "--mount", "sh", "-c"),
    "for folder in /tmp /var/tmp /usr/tmp; do mkdir -p $folder;"
    ' mount -t tmpfs -o ro tmpfs $folder || exit 1; done; cd /proc && exec "$@"',
    "sh",
]


@pytest.fixture
def read_only() -> list[str]:
    """Return the command that takes the folders for temporary files from a program."""
    if subprocess.run([*READ_ONLY, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    return READ_ONLY


@pytest.fixture
async def enclosed(read_only: list[str]) -> AsyncIterator[DaemonProcess]:
    """Return a daemon that can write in its own folder alone."""
    with tempfile.TemporaryDirectory(dir=ELSEWHERE) as folder:
        daemon = DaemonProcess(Path(folder))
        daemon.within = read_only
        yield daemon
        await daemon.close()


async def test_a_read_only_root_stops_nothing(
    consumer: Consumer, enclosed: DaemonProcess, until: Until, figures: Figures
) -> None:
    ids = [f"{number:032x}" for number in range(BATCHES)]
    async with SimulatedBolna(key="key") as bolna:
        for number in ids:
            bolna.put(number, bolna_document(number, status="running", valid_contacts=9))
        polling = 'interval = "1s"\n'
        enclosed.configure(config(bolna.base_url, {"crm": consumer.url}, ids, polling=polling))
        await enclosed.start()
        await until(lambda: len(consumer.accepted) >= BATCHES, what="all are told")
        polls = len(bolna.served)
        await until(lambda: len(bolna.served) > polls + 3 * BATCHES, what="polls go on")
        status = await enclosed.stop()

    failing = enclosed.lines("database.failing")
    figures.add(
        "a read-only root", n=BATCHES, unit="batches", failures=len(failing),
        detail=f"{len(bolna.served):,} polls, {len(consumer.accepted):,} webhooks",
    )  # fmt: skip
    assert failing == []
    assert status == 0
