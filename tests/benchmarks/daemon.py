"""The daemon as a measured process, or several on one database."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.databases import Databases
from tests.benchmarks.settings import config
from tests.benchmarks.spent import Spent, cpu_seconds, peak_memory
from tests.benchmarks.target import fetch, free_port, wait_for
from tests.patient import HANG


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Hold a running daemon."""

    pid: int
    url: str

    def metrics(self, name: str) -> dict[str, float]:
        """Return the samples of one metric, by their labels as written."""
        lines = fetch(f"{self.url}/metrics").decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line.startswith(f"{name}{{"))
        return {sample.removeprefix(name): float(value) for sample, value in samples}

    def check(self) -> None:
        """Raise if a poll or a delivery failed: such a run says nothing about speed."""
        for name in ("monitor_polls_total", "monitor_deliveries_total"):
            found = self.metrics(name)
            fine = ('result="ok"', 'result="delivered"')
            if bad := {k: v for k, v in found.items() if v and not any(f in k for f in fine)}:
                raise RuntimeError(f"not all went well: {name} {bad}")


@contextmanager
def run_daemon(folder: Path, database: str, *, name: str = "one", **about: Any) -> Iterator[Daemon]:
    """Run `monitor run` on a database, with a config as `about` says."""
    port = free_port()
    path = folder / f"{name}.toml"
    path.write_text(config(database=database, port=port, **about))
    environment = {**os.environ, "MONITOR_LOG_FORMAT": "json", "MONITOR_INSTANCE": name}
    with path.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run", "-c", str(path)],
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/-/ready", seconds=HANG)
        yield Daemon(pid=process.pid, url=url)
    finally:
        process.terminate()
        process.wait(HANG)


@contextmanager
def run_daemons(number: int, folder: Path, database: str, **about: Any) -> Iterator[list[Daemon]]:
    """Run several on one database."""
    with ExitStack() as stack:
        names = [f"daemon-{n}" for n in range(number)]
        yield [
            stack.enter_context(run_daemon(folder, database, name=name, **about)) for name in names
        ]


def _wait_for(served: Callable[[], int], *, beyond: int) -> int:
    """Return how much was served once it is more than that; raise TimeoutError in a hang."""
    deadline = time.monotonic() + HANG
    while (now := served()) <= beyond:
        if time.monotonic() > deadline:
            raise TimeoutError("the target is not asked")
        time.sleep(0.02)
    return now


def measure(
    daemons: Sequence[Daemon],
    served: Callable[[], int],
    databases: Databases,
    *,
    seconds: float,
    warming: float,
) -> Spent:
    """Let daemons that are busy warm up, then count what the target served meanwhile.

    The count is the target's own, so that asking for it costs the daemon nothing.
    """
    _wait_for(served, beyond=served() + len(daemons))
    time.sleep(warming)
    before, of_database = sum(cpu_seconds(d.pid) for d in daemons), databases.cpu()
    first = served()
    time.sleep(seconds)
    done = _wait_for(served, beyond=first) - first  # it may be that others have the processor
    cpu = sum(cpu_seconds(d.pid) for d in daemons) - before
    of_database_now = databases.cpu()
    for daemon in daemons:
        daemon.check()
    spent_there = None
    if of_database is not None and of_database_now is not None:
        spent_there = of_database_now - of_database
    peak = sum(peak_memory(d.pid) for d in daemons)
    return Spent(done=done, cpu=cpu, peak=peak, database_cpu=spent_there)
