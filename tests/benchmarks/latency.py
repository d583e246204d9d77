"""The measurement of latency: from a reading received to its webhook received."""

import json
import sqlite3
import statistics
import time
from contextlib import closing
from datetime import datetime
from typing import Any

import psycopg
import uvloop

from tests.benchmarks.bare import event_body, post_loop
from tests.benchmarks.bench import Bench, DiscoveryAnswer
from tests.benchmarks.daemon import run_daemon
from tests.benchmarks.documents import batch_ids
from tests.benchmarks.target import Target, fetch, run_target
from tests.patient import HANG

SAMPLES = 200
"""Posts, and commits, that are timed bare."""
FEWEST = 20
"""Webhooks without which nothing can be said."""
MORE = 1.06
"""Batches for each poll a second: beyond its interval each of them waits for company."""
KEPT = 0.9
"""Of the pace: a daemon that does not keep up says nothing about delays."""


def latency(bench: Bench) -> DiscoveryAnswer:
    """Poll some batches once a second, each time with new counts, and see when webhooks arrive.

    The target is a server of our own, not nginx. An event's `time` is when its reading was
    received, cut to milliseconds: half a millisecond too early on average. The bare post and the
    bare commit (one event-sized row, by the plain driver) are measured right before, one at a time.
    """
    with run_target(bench.folder, moving=True) as target:
        posts = uvloop.run(_post_times(target))
        commits = _commit_times(bench.new_database())
        url = bench.database_spread(round(MORE * bench.sizes.pace))
        with run_daemon(
            bench.folder, url, polled=target.url, posted=target.url, interval="1s"
        ) as daemon:
            delays, rate = _watch(target, bench)
            daemon.check()
    if rate < KEPT * bench.sizes.pace:
        raise RuntimeError(f"{rate:.0f} webhooks a second, of {bench.sizes.pace}")
    return {
        "done": len(delays),
        "post_p50_ms": statistics.median(posts),
        "commit_p50_ms": statistics.median(commits),
        "p50_ms": statistics.median(delays),
        "p99_ms": statistics.quantiles(delays, n=100)[98],
        "webhooks_a_second": rate,
    }


def _watch(target: Target, bench: Bench) -> tuple[list[float], float]:
    """Return the delays in ms of the webhooks of some seconds, and how many came a second.

    What the daemon's first two seconds bring is not counted.
    """
    deadline = time.monotonic() + HANG
    enough = target.served() + 2 * 2 * bench.sizes.pace  # polls and webhooks
    while target.served() < enough:
        if time.monotonic() > deadline:
            raise TimeoutError("hardly any webhook arrives")
        time.sleep(0.02)
    time.sleep(bench.sizes.warming)
    began = time.time()
    while time.monotonic() < deadline:
        time.sleep(bench.sizes.seconds)
        ended = time.time()
        delays = _delays(target, began, ended)
        if len(delays) >= FEWEST:
            return delays, len(delays) / (ended - began)
    raise TimeoutError("hardly any webhook arrives")


def _delays(target: Target, began: float, ended: float) -> list[float]:
    """Return how long after their readings the webhooks of a time arrived, in ms."""
    return [
        1000 * (arrived - datetime.fromisoformat(moment).timestamp())
        for arrived, moment in json.loads(fetch(f"{target.url}/arrivals"))
        if began <= arrived < ended
    ]


async def _post_times(target: Target) -> list[float]:
    async with post_loop(target.url, batch_ids(1)) as post:
        await post()
        times = []
        for _ in range(SAMPLES):
            began = time.perf_counter()
            await post()
            times.append(1000 * (time.perf_counter() - began))
        return times


def _commit_times(url: str) -> list[float]:
    """Return how long commits of one row take, as safe on the disk as the daemon's."""
    if not url.startswith("sqlite"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE events (body bytea)")
            return [
                _commit_time(connection, "INSERT INTO events VALUES (%s)") for _ in range(SAMPLES)
            ]
    file = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE events (body blob)")
        return [_commit_time(connection, "INSERT INTO events VALUES (?)") for _ in range(SAMPLES)]


def _commit_time(connection: Any, statement: str) -> float:
    body = event_body("0")
    began = time.perf_counter()
    connection.execute(statement, [body])
    return 1000 * (time.perf_counter() - began)
