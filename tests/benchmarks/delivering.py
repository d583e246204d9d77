"""Measurements of delivering: what a signed delivery costs, bare and through the outbox."""

import time

from tests.benchmarks.bare import run_bare
from tests.benchmarks.bench import Bench, DiscoveryAnswer
from tests.benchmarks.daemon import Daemon, run_daemon
from tests.benchmarks.polling import figures
from tests.benchmarks.spent import Spent, cpu_seconds, peak_memory
from tests.patient import HANG

BATCHES = 100


def bare_posts(bench: Bench) -> DiscoveryAnswer:
    """Sign and post in a bare loop, as many at a time as the daemon does for one receiver."""
    return figures(run_bare("post", bench.target.url, seconds=bench.sizes.seconds, batches=BATCHES))


def deliveries(bench: Bench) -> DiscoveryAnswer:
    """Store events of 100 batches, then let a daemon drain them; it polls nothing meanwhile.

    That is the whole way of a delivery through the outbox: stored, claimed, signed, sent, settled,
    the next of its lane made due. What storing cost, in commits of an event of each batch, is added
    to what draining cost; the daemon's start and end, a tenth of the backlog each, are left out.
    """
    backlog = bench.sizes.backlog
    url, stored = bench.database_owing(backlog, batches=BATCHES)
    begun = bench.target.served()
    with run_daemon(bench.folder, url, posted=bench.target.url) as daemon:
        first = _reached(bench, daemon, begun + backlog // 10)
        last = _reached(bench, daemon, begun + backlog - backlog // 10)
        daemon.check()
        peak = peak_memory(daemon.pid)
    done, drained = last[0] - first[0], last[1] - first[1]
    storing = stored / backlog
    spent = Spent(
        done=done,
        cpu=drained + done * storing,
        peak=peak,
        database_cpu=last[2] - first[2] if bench.databases.cpu() is not None else None,
    )
    return figures(spent) | {"store_us_each": 1e6 * storing, "drain_us_each": 1e6 * drained / done}


def _reached(bench: Bench, daemon: Daemon, served: int) -> tuple[int, float, float]:
    """Wait until so much is served; return how much, and the CPU of daemon and database by then."""
    deadline = time.monotonic() + HANG
    while (now := bench.target.served()) < served:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{served - now} deliveries are missing")
        time.sleep(0.01)
    return now, cpu_seconds(daemon.pid), bench.databases.cpu() or 0.0
