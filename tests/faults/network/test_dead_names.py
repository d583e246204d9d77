"""Six receivers whose names nobody answers for: the others are polled and told as without them."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna
from tests.conftest import Until
from tests.consumer import Consumer
from tests.daemon_process import DaemonProcess
from tests.faults.figures import Figures, sized
from tests.faults.settings import config
from tests.faults.unrest import changing
from tests.patient import HANG

SECONDS = float(sized(short=20, full=120))
BATCHES = 10
DEAD = 6
SERVER = ("127.0.0.77", 53)
IN_ANOTHER_WORLD = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
OWING = 5.0
"""Seconds in which there is something to owe."""
LEAST = 0.95
"""How much of what is polled and told without them there must be with them."""


@pytest.fixture
def resolv(tmp_path: Path) -> Iterator[list[str]]:
    """Return the command that lets a program ask a name server which answers nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(SERVER)
        except OSError as error:
            pytest.skip(f"nobody may listen on port 53 here: {error}")
        file = tmp_path / "resolv.conf"
        file.write_text(f"nameserver {SERVER[0]}\n")
        command = ["unshare", "--mount", "sh", "-c", IN_ANOTHER_WORLD, str(file)]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
            pytest.skip("no mount namespaces here")
        yield command


async def test_dead_names_cost_the_others_nothing(
    consumer: Consumer, daemon: DaemonProcess, until: Until, figures: Figures, resolv: list[str]
) -> None:
    ids = [f"{number:032x}" for number in range(BATCHES)]
    healthy = {"healthy": by_name(consumer.url)}
    dead = {f"dead{number}": f"http://dead{number}.test:9" for number in range(DEAD)}
    daemon.within = resolv
    async with SimulatedBolna(key="key") as bolna, changing(bolna, ids):

        async def run(receivers: dict[str, str], seconds: float) -> tuple[int, int]:
            """Return how many polls and posts to the healthy one there were from the start on."""
            polling = 'interval = "200ms"\n'
            daemon.configure(config(by_name(bolna.base_url), receivers, ids, polling=polling))
            started = len(daemon.lines("daemon.started"))
            polls, posts = len(bolna.served), len(consumer.accepted)
            await daemon.start()
            await until(lambda: len(daemon.lines("daemon.started")) > started, what="the start")
            began = time.monotonic()
            await until(
                lambda: time.monotonic() > began + seconds, seconds=seconds + HANG, what="time"
            )
            found = len(bolna.served) - polls, len(consumer.accepted) - posts
            assert await daemon.stop() == 0
            return found

        await run(healthy | dead, OWING)  # so that each of them is owed something
        without = await run(healthy, SECONDS)
        with_them = await run(healthy | dead, SECONDS)

    held = {line["receiver"]: line["error"] for line in daemon.lines("receiver.held")}
    parts = [found / before for found, before in zip(with_them, without, strict=True)]
    figures.add(
        "six names that nobody answers for", n=round(SECONDS), unit="s",
        failures=int(min(parts) < LEAST),
        detail=f"{with_them[0]:,} polls and {with_them[1]:,} posts to the healthy one,"
        f" without them {without[0]:,} and {without[1]:,}",
    )  # fmt: skip
    assert held == dict.fromkeys(dead, "dns")
    assert min(parts) >= LEAST


def by_name(url: str) -> str:
    """Return a URL of this machine, which is looked up."""
    return url.replace("127.0.0.1", "localhost")
