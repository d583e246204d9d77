"""Latency: how long after a provider's answer a consumer has the webhook that tells of it."""

import json
import time
from datetime import datetime

from tests.faults.consumer import Consumer


def p99(consumer: Consumer, path: str, begin: float, end: float) -> float:
    """Return the 99th percentile of reading received -> accepted, in seconds."""
    wall = time.time() - time.monotonic()
    delays = sorted(
        at + wall - datetime.fromisoformat(json.loads(consumer.bodies[event])["time"]).timestamp()
        for at, where, event in consumer.received
        if where == path and begin <= at < end
    )
    return delays[int(len(delays) * 0.99)]
