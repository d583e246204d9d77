"""A daemon paused, or killed, amid its work: others go on, and it wakes to write nothing stale."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.accounting import Account, account
from tests.conftest import Until
from tests.consumer import Consumer, distinct
from tests.daemon_process import DaemonProcess
from tests.faults.figures import TIMED, Figures
from tests.faults.fleet.fleet import LEASE, SEND_LEASE, UNPOLLED, Fleet, Watchkeeper
from tests.faults.fleet.gate import Gate
from tests.patient import HANG

BATCH, OTHER = "b" * 32, "c" * 32
SLACK = 5.0 if TIMED else HANG
"""Seconds that may pass beyond a lease."""
STATE = """
    SELECT b.sequence, b.snapshots, b.counts, s.health, s.version, r.held_since, d.state,
        d.attempts, d.epoch, d.delivered_at,
        (SELECT count(*) FROM events), (SELECT count(*) FROM attempts)
    FROM batches AS b, sources AS s, receivers AS r,
        (SELECT * FROM deliveries ORDER BY id DESC LIMIT 1) AS d
    WHERE b.external_id = repeat('b', 32)
"""
"""All that a stale write could move, while the provider shows nothing new."""
NEVER = ("receiver.held", "poll.refused_by_database", "poll.group_failed", "lane.repaired")
"""Is never logged."""


class Scene:
    """Hold two daemons, a batch that moves and one that does not, and the store."""

    def __init__(
        self,
        fleet: Fleet,
        bolna: SimulatedBolna,
        consumer: Consumer,
        store: psycopg.AsyncConnection[Any],
        until: Until,
    ) -> None:
        self.fleet, self.bolna, self.consumer, self.until = fleet, bolna, consumer, until
        self._store = store
        self.keeper = Watchkeeper(bolna)

    def show(self, calls: int, batch: str = BATCH) -> None:
        """Let a batch show so many calls."""
        given: dict[str, Any] = {"status": "running", "execution_status": {"ringing": calls}}
        self.bolna.put(batch, bolna_document(batch, **given))

    async def ask(self, statement: str) -> Any:
        """Return the first row that the store gives."""
        return await (await self._store.execute(statement.encode())).fetchone()

    async def owner(self, table: str, where: str) -> DaemonProcess:
        """Wait until a row is claimed; return whose it is."""
        found: list[str | None] = []

        async def claimed() -> bool:
            found.extend(await self.ask(f"SELECT lease_owner FROM {table} WHERE {where}"))  # noqa: S608 (ours)
            return found[-1] is not None

        await self.until(claimed, what="a claim")
        return self.fleet.daemons[str(found[-1])]

    async def told(self, calls: int, seconds: float) -> None:
        """Wait until these calls are told and settled."""

        async def is_told() -> bool:
            await asyncio.sleep(0.1)
            events = distinct(self.consumer.of(BATCH))
            pending = await self.ask("SELECT count(*) FROM deliveries WHERE state = 'pending'")
            shown = events and events[-1]["data"]["counts"] == {"ringing": calls}
            return bool(shown) and pending == (0,)

        await self.until(is_told, seconds, f"{calls} calls are told")

    def account(self) -> Account:
        """Settle the account of all that was told."""
        return account(
            self.consumer.accepted,
            self.fleet.daemons["one"].stored(),
            self.keeper.states,
            receivers=["crm"],
            bad_signatures=self.consumer.bad_signatures,
        )

    async def wake(self, daemon: DaemonProcess, counter: str) -> None:
        """Let a daemon go on; nothing of what the store holds has moved when it is back at work."""
        before = await self.ask(STATE)
        daemon.resume()
        counted = await count(daemon, counter)  # it answers once its loop has turned

        async def works_on() -> bool:
            return await count(daemon, "monitor_polls_total") > counted

        await self.until(works_on, what="it polls again")
        assert await self.ask(STATE) == before, "what was stale is written"


MakeScene = Callable[[str], Awaitable[Scene]]


async def count(daemon: DaemonProcess, name: str) -> float:
    """Sum up a counter of a daemon."""
    lines = (await daemon.get("/metrics")).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.fixture
async def make_scene(
    tmp_path: Path, make_postgres_url: Callable[[], str], until: Until
) -> AsyncIterator[MakeScene]:
    """Set scenes that know nothing of each other; all is told when one begins."""
    async with AsyncExitStack() as stack:

        async def make(name: str) -> Scene:
            (tmp_path / name).mkdir()
            fleet = Fleet(tmp_path / name, make_postgres_url(), size=2)
            stack.push_async_callback(fleet.close)
            consumer = Consumer()
            await consumer.start()
            stack.push_async_callback(consumer.stop)
            stack.callback(consumer.release)
            bolna = await stack.enter_async_context(SimulatedBolna(key="key"))
            connect = psycopg.AsyncConnection.connect(fleet.url, autocommit=True)
            store = await stack.enter_async_context(await connect)
            scene = Scene(fleet, bolna, consumer, store, until)
            fleet.configure(bolna, consumer, [BATCH, OTHER])
            scene.show(1)
            scene.show(1, OTHER)
            await fleet.start(until)
            await scene.told(1, HANG)
            return scene

        yield make


async def test_what_a_daemon_leaves_undone_others_do_within_a_lease_and_it_wakes_to_write_nothing(
    make_scene: MakeScene, figures: Figures
) -> None:
    acts = {
        "amid a claim": amid_a_claim,
        "amid a poll": amid_a_poll,
        "amid a send": amid_a_send,
        "killed amid a send": killed_amid_a_send,
    }
    scenes = [await make_scene(name) for name in acts]
    seconds = await asyncio.gather(
        *(act(scene) for act, scene in zip(acts.values(), scenes, strict=True))
    )
    unpolled = max(scene.keeper.close() for scene in scenes)

    found = [scene.account() for scene in scenes]
    failures = sum(one.failures for one in found)
    told = ", ".join(f"{what} {s:.1f} s" for what, s in zip(acts, seconds, strict=True))
    figures.add(
        "a daemon paused, or killed, amid its work",
        n=len(acts),
        unit="pauses and kills",
        failures=failures,
        detail=f"done by another after: {told}; longest unpolled {unpolled:.1f} s; {found[-1]}",
    )
    assert failures == 0, found
    assert unpolled <= UNPOLLED or not TIMED
    for scene, event in product(scenes, NEVER):
        assert scene.fleet.logged(event) == [], event


async def amid_a_claim(scene: Scene) -> float:
    """Pause a daemon with a transaction open, whose locks keep the other from the whole source."""
    one = scene.fleet.daemons["one"]
    of_ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND"
    waiting = f"{of_ours} wait_event_type = 'Lock'"
    stuck = f"{of_ours} state LIKE 'idle in tr%' AND state_change < now() - interval '0.3 s'"

    async def both_wait() -> bool:
        return bool(await scene.ask(waiting) == (2,))

    async with await psycopg.AsyncConnection.connect(scene.fleet.url) as other:
        await other.execute("SELECT 1 FROM sources FOR UPDATE")
        await scene.until(both_wait, what="both daemons wait for the source")
        one.pause()
    began = time.monotonic()

    async def holds_it() -> bool:
        return bool(await scene.ask(stuck) == (1,))

    await scene.until(holds_it, what="the paused one holds the source")
    scene.show(2)
    await scene.told(2, UNPOLLED + SLACK)
    after = time.monotonic() - began
    await scene.wake(one, "monitor_polls_total")
    return after


async def amid_a_poll(scene: Scene) -> float:
    """Pause a daemon that waits for an answer, which has become old when it wakes."""
    gate = Gate()
    gate.close()
    scene.show(3)
    scene.bolna.fault(gate.fault(), batch=BATCH)
    await scene.until(lambda: gate.waiting == 1)
    paused = await scene.owner("batches", f"external_id = '{BATCH}'")
    paused.pause()
    scene.bolna.lift(BATCH)
    gate.open()
    began = time.monotonic()
    scene.show(4)
    await scene.told(4, LEASE + SLACK)
    after = time.monotonic() - began
    await scene.wake(paused, "monitor_polls_total")
    assert gate.passed == 1
    return after


async def amid_a_send(scene: Scene) -> float:
    """Pause a daemon that waits for an answer of the consumer."""
    scene.consumer.hang()
    scene.show(5)
    await scene.until(lambda: scene.consumer.in_flight == 1)
    paused = await scene.owner("deliveries", "state = 'pending'")
    paused.pause()
    scene.consumer.release()
    began = time.monotonic()
    await scene.told(5, SEND_LEASE + SLACK)
    after = time.monotonic() - began
    await scene.wake(paused, "monitor_attempts_total")
    return after


async def killed_amid_a_send(scene: Scene) -> float:
    """Kill a daemon that waits for an answer of the consumer, and do not start it again."""
    scene.consumer.hang()
    scene.show(6)
    await scene.until(lambda: scene.consumer.in_flight == 1)
    killed = await scene.owner("deliveries", "state = 'pending'")
    await killed.kill()
    scene.consumer.release()
    began = time.monotonic()
    await scene.told(6, SEND_LEASE + SLACK)
    return time.monotonic() - began
