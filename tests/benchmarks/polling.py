"""Measurements of polling: what a poll costs, bare and through the daemon."""

from tests.benchmarks.bare import run_bare
from tests.benchmarks.bench import Bench, DiscoveryAnswer
from tests.benchmarks.daemon import measure, run_daemons
from tests.benchmarks.spent import Spent


def bare(loop: str, bench: Bench) -> DiscoveryAnswer:
    """Run a bare loop, from outside all databases."""
    batches = bench.sizes.batches[0]
    spent = run_bare(loop, bench.target.url, seconds=bench.sizes.seconds, batches=batches)
    return figures(spent)


def polls(size: int, bench: Bench, *, daemons: int = 1) -> DiscoveryAnswer:
    """Let daemons poll as fast as they can, out of a table with that many registered batches.

    All batches have been read once and are always due, so the same number of polls goes on at a
    time whatever the size: only the table that they are drawn from differs.
    """
    batches = bench.sizes.batches[size]
    url = bench.database_with(batches)
    with run_daemons(daemons, bench.folder, url, polled=bench.target.url) as running:
        spent = measure(
            running,
            bench.target.served,
            bench.databases,
            seconds=bench.sizes.seconds,
            warming=bench.sizes.warming,
        )
    return figures(spent) | {"batches": batches}


def figures(spent: Spent) -> dict[str, float]:
    """Put what was spent as it is printed."""
    found = {
        "done": spent.done,
        "cpu_seconds": spent.cpu,
        "per_cpu_second": spent.rate,
        "cpu_us_each": 1e6 / spent.rate,
    }
    if spent.peak:
        found["peak_mib"] = spent.peak
    if spent.database_cpu is not None:
        found["postgres_us_each"] = 1e6 * spent.database_cpu / spent.done
    return found
