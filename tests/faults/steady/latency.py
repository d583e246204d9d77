"""Latency: how long after a provider's answer a consumer has the webhook that tells of it."""

import time
from datetime import datetime

from tests.consumer import Consumer


def p99(consumer: Consumer, path: str, begin: float, end: float) -> float:
    """Return the 99th percentile of reading received -> accepted, in seconds."""
    wall = time.time() - time.monotonic()
    delays = sorted(
        one.at + wall - datetime.fromisoformat(event["time"]).timestamp()
        for one, event in zip(consumer.accepted, consumer.events, strict=True)
        if one.receiver == path and begin <= one.at < end
    )
    return delays[int(len(delays) * 0.99)]
