"""Three daemons ask one account: one budget, one health, each batch and delivery one at a time."""

import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, MutableMapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog

from monitor.engine.account import Account
from tests.conftest import Until
from tests.engine.rig import KEY, Rig
from tests.faults.fleet.gate import Gate

NAMES = ("one", "two", "three")
RATE, BUCKET = 10.0, 50.0
"""Of a second, and what may be saved up."""
SECONDS = 4.0
INTERVAL = 0.2
POLLING = """
interval = "{0}ms"
idle_interval = "{0}ms"
settled_interval = "1h"
deadline = "4s"
concurrency = 7  # a third of the batches: nobody takes them all
"""
LEASE = 2 * 4 + 5
TURNS = 6
"""How often the key is refused: the three do not meet each time."""
REFUSED = ("poll.refused_by_database", "poll.group_failed", "poll.dropped", "database.failing")
BATCHES = [f"b{number}" for number in range(20)]
MORE = [f"more{number}" for number in range(150)]


class Three:
    """Run three daemons here, on one Postgres, one provider and one consumer."""

    def __init__(self, rigs: list[Rig], log: list[MutableMapping[str, Any]]) -> None:
        self.rigs = rigs
        self.first = rigs[0]
        self.log = log

    async def start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, rig in zip(NAMES, self.rigs, strict=True):
            monkeypatch.setenv("MONITOR_INSTANCE", name)
            await rig.build()
        await self.first.add(*BATCHES)
        for rig in self.rigs:
            await rig.start()

    @property
    def refused(self) -> list[str]:
        """Return the lines of the log about commits that the database did not take."""
        return [line["event"] for line in self.log if line["event"] in REFUSED]

    def polls_of(self, rig: Rig) -> float:
        return sum(
            sample.value
            for metric in rig.engine.metrics.registry.collect()
            for sample in metric.samples
            if sample.name == "monitor_polls_total"
        )


@pytest.fixture
async def three(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Three]:
    with structlog.testing.capture_logs() as log:
        async with Rig(tmp_path / NAMES[0], postgres_url) as first:
            shared = (first.bolna, first.vogent, first.clock, first.consumers)
            rigs = [first, *(Rig(tmp_path / name, postgres_url, *shared) for name in NAMES[1:])]
            for rig in rigs:
                rig.folder.mkdir()
                rig.polling = POLLING.format(int(1000 * INTERVAL))
            first.show(*BATCHES)
            yield Three(rigs, log)
            for rig in rigs:
                if rig.running:
                    await rig.stop()


async def test_three_together_keep_to_the_budget(
    three: Three, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rig in three.rigs:
        rig.rate = f"{RATE:.0f}/s"
    await three.start(monkeypatch)
    began = time.monotonic()

    await until(lambda: time.monotonic() > began + SECONDS)

    at = [served.at for served in three.first.bolna.served]
    most = max(
        later + 1 - earlier - RATE * (at[later] - at[earlier])
        for earlier in range(len(at))
        for later in range(earlier, len(at))
    )
    assert most <= BUCKET + RATE  # a claim's polls may reach the provider a moment later
    assert len(at) >= 0.8 * (BUCKET + RATE * SECONDS)
    assert all(three.polls_of(rig) > 0 for rig in three.rigs)


async def test_a_refused_key_is_one_event_and_pauses_all_three(
    three: Three, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = three.first
    await three.start(monkeypatch)
    await until(lambda: len(first.crm.events) >= len(BATCHES), seconds=30)
    await until(lambda: all(three.polls_of(rig) > 0 for rig in three.rigs), seconds=30)

    for _ in range(TURNS):
        await refuse_and_mend(three, until)
    await until(first.settled)

    told = Counter(event["type"] for event in first.crm.events)
    assert (told["source.failing"], told["source.recovered"]) == (TURNS, TURNS)
    assert told["batch.first_seen"] == len(BATCHES)
    assert set(told) == {"source.failing", "source.recovered", "batch.first_seen"}
    assert three.refused == []


async def test_each_batch_is_polled_and_each_event_sent_by_one_at_a_time(
    three: Three, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = three.first
    first.crm.pause = INTERVAL  # what is under way stays so for a while
    first.show(*MORE)
    await three.start(monkeypatch)
    await first.add(*MORE)  # more at once than may be born claimed: the rest is claimed

    def often() -> int:
        """Return how often the one event was sent that was sent most often."""
        return max(Counter(event["id"] for _, event in first.crm.attempts).values(), default=0)

    for calls in range(1, 6):
        first.show(*BATCHES, execution_status={"ringing": calls})
        await until(lambda c=calls: counts(first) == {c} or often() > 1, 30)
        assert often() == 1
    await until(first.settled, 30)

    assert often() == 1
    polled = defaultdict(list)
    for served in first.bolna.served:
        polled[served.batch].append(served.at)
    closest = min(b - a for times in polled.values() for a, b in pairwise(times))
    assert closest >= 0.9 * INTERVAL - 0.01
    assert all(three.polls_of(rig) > 0 for rig in three.rigs)


async def refuse_and_mend(three: Three, until: Until) -> None:
    """Refuse the key of polls that all three have under way; accept it again."""
    first = three.first
    gate = Gate()
    gate.close()
    first.bolna.fault(gate.fault(401))
    await until(lambda: all(account_of(rig).in_flight for rig in three.rigs))
    first.bolna.key = "rotated"
    first.bolna.lift()
    gate.open()
    await until(lambda: three.refused != [] or all(paused(rig) for rig in three.rigs), seconds=30)
    assert three.refused == []
    answers = first.bolna.record.answers
    began = time.monotonic()
    await until(lambda: time.monotonic() > began + 3 * INTERVAL)
    assert first.bolna.record.answers == answers
    first.bolna.key = KEY
    first.clock.advance(seconds=61)
    await until(lambda: not all(paused(rig) for rig in three.rigs), seconds=30)
    await until(first.settled)
    first.clock.advance(seconds=LEASE)  # who saw the probe's lease learns by its end that it passed
    await until(lambda: not any(paused(rig) for rig in three.rigs), seconds=30)


def counts(rig: Rig) -> set[int]:
    """Return the calls that the newest event of each batch tells."""
    return {
        rig.crm.of(batch)[-1]["data"]["counts"]["ringing"] if rig.crm.of(batch) else 0
        for batch in BATCHES
    }


def paused(rig: Rig) -> bool:
    """Tell whether a daemon knows that the account is to be left alone."""
    return account_of(rig).blocked_until is not None


def account_of(rig: Rig) -> Account:
    """Return the account that all batches are of."""
    return next(a for a in rig.engine.accounts if a.source.name == "bolna")
