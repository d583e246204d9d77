"""Lives of batches and their ending: when all that happened has been told to receivers."""

import json
import time
from collections.abc import Mapping
from typing import Any

from monitor.simulator.lives import Life
from monitor.simulator.server import SimulatedApi
from tests.accounting import shown
from tests.consumer import Consumer
from tests.simulator.random_lives import random_bolna_life


def put_lives(
    api: SimulatedApi, seed: object, *, seconds: float, batches: int = 4
) -> dict[str, Life]:
    """Let batches live, from now on."""
    return {
        batch_id: api.put(
            batch_id, random_bolna_life(batch_id, seed=seed, seconds=seconds, clock=time.monotonic)
        )
        for batch_id in (f"{number:032x}" for number in range(batches))
    }


def is_told(lives: Mapping[str, Life], receivers: Mapping[str, Consumer]) -> bool:
    """Tell whether every receiver has the end of every batch; later events may say it again."""
    if not all(life.over for life in lives.values()):
        return False
    ends = {batch_id: shown(life.current.document) for batch_id, life in lives.items()}
    for name, consumer in receivers.items():
        last = _last(consumer, name, set(lives))
        if not all(b in last and last[b]["settled"] and shown(last[b]) == ends[b] for b in ends):
            return False
    return True


def keys(consumer: Consumer) -> set[tuple[str, str]]:
    """Return what a consumer accepted, as deliveries are stored: event and receiver."""
    return {(webhook.event_id, webhook.receiver) for webhook in consumer.accepted}


def _last(consumer: Consumer, name: str, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Return the data of the last event of each batch."""
    last: dict[str, dict[str, Any]] = {}
    for webhook in reversed(consumer.accepted):
        if webhook.receiver == name:
            event = json.loads(webhook.body)
            if event["subject"] in wanted:
                last.setdefault(event["subject"], event["data"])
            if len(last) == len(wanted):
                break
    return last
