"""Three daemons ask one account: one budget, one health, each batch and delivery one at a time."""

from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from monitor.engine.source import SourceAtWork
from tests.conftest import Until
from tests.engine.rig import KEY, Rig
from tests.faults.figures import sized
from tests.faults.fleet.gate import Gate, Pause

NAMES = ("one", "two", "three")
RATE, BUCKET = 10.0, 50.0
"""Of a second, and what may be saved up."""
STEPS = sized(short=5, full=10)
INTERVAL = 0.2
POLLING = """
interval = "{0}ms"
idle_interval = "{0}ms"
settled_interval = "1h"
stall_after = "1d"
deadline = "60s"
concurrency = 7  # a third of the batches: nobody takes them all
"""
LEASE = 2 * 60 + 5
TURNS = sized(short=3, full=6)
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

    async def rest(self, until: Until) -> None:
        """Return once all have looked for what is due, and nothing is under way any more."""
        for rig in [*self.rigs, *self.rigs]:
            await rig.round()
            await until(lambda r=rig: not r.is_polling())

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
    three.first.clock.hold()
    await three.start(monkeypatch)

    for step in range(1, STEPS + 1):  # in each all batches are due
        await three.rest(until)
        three.first.clock.advance(seconds=1)
        assert three.first.polls() <= BUCKET + RATE * step
    await three.rest(until)

    assert three.first.polls() == BUCKET + RATE * STEPS
    assert all(three.polls_of(rig) > 0 for rig in three.rigs)


async def test_a_refused_key_is_one_event_and_pauses_all_three(
    three: Three, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = three.first
    await three.start(monkeypatch)
    await until(lambda: len(first.crm.events) >= len(BATCHES))
    await until(lambda: all(three.polls_of(rig) > 0 for rig in three.rigs))

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
    first, pause = three.first, Pause(INTERVAL)
    first.crm.pause = INTERVAL  # what is under way stays so for a while
    for batch in BATCHES:  # but not those that are to bring many events at once
        first.bolna.fault(pause.fault(), batch=batch)
    first.show(*MORE)
    await three.start(monkeypatch)
    await first.add(*MORE)  # more at once than may be born claimed: the rest is claimed

    def often() -> int:
        """Return how often the one event was sent that was sent most often."""
        sent = Counter(one.event["id"] for one in first.crm.arrived)
        return max(sent.values(), default=0)

    for calls in range(1, 6):
        first.show(*BATCHES, execution_status={"ringing": calls})
        await until(lambda c=calls: counts(first) == {c} or often() > 1)
        assert often() == 1
    await until(first.settled)

    assert often() == 1
    assert pause.most_at_once == 1
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
    await until(lambda: three.refused != [] or all(paused(rig) for rig in three.rigs))
    assert three.refused == []
    answers = first.bolna.record.answers
    first.clock.advance(seconds=3 * INTERVAL)
    await three.rest(until)
    assert first.bolna.record.answers == answers
    first.bolna.key = KEY
    first.clock.advance(seconds=61)
    await until(lambda: not all(paused(rig) for rig in three.rigs))
    await until(first.settled)
    first.clock.advance(seconds=LEASE)  # who saw the probe's lease learns by its end that it passed
    await until(lambda: not any(paused(rig) for rig in three.rigs))


def counts(rig: Rig) -> set[int]:
    """Return the calls that the newest event of each batch tells."""
    return {
        rig.crm.of(batch)[-1]["data"]["counts"]["ringing"] if rig.crm.of(batch) else 0
        for batch in BATCHES
    }


def paused(rig: Rig) -> bool:
    """Tell whether a daemon knows that the account is to be left alone."""
    return account_of(rig).blocked_until is not None


def account_of(rig: Rig) -> SourceAtWork:
    """Return the account that all batches are of."""
    return next(a for a in rig.engine.sources if a.name == "bolna")
