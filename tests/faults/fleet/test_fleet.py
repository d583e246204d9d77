"""Three daemons on one Postgres: killed, paused, their database stopped, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import psycopg
import pytest

from monitor.simulator.bolna import SimulatedBolna
from tests.accounting import account
from tests.conftest import Until
from tests.consumer import Consumer
from tests.faults.figures import TIMED, Figures, sized
from tests.faults.fleet.fleet import SEND_LEASE, UNPOLLED, Fleet, Watchkeeper
from tests.faults.fleet.server import Server, run_server
from tests.faults.unrest import Unrest

ROUNDS = sized(short=1, full=50)
KILLS = sized(short=2, full=4)
"""In each round."""
STOPS = sized(short=1, full=20)
BATCHES = 24
PAUSE = SEND_LEASE + 1
"""Seconds: what a paused daemon had claimed is somebody else's by then."""
SLOTS = 8
"""Attempts under way at a receiver: what a kill may send again."""
NEVER = ("lane.repaired", "poll.refused_by_database", "poll.group_failed", "loop.crashed")
"""Is never logged."""
REST = 1.5
"""Seconds between two rounds, in which what was taken over is polled."""


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with run_server() as server:
        yield server


@pytest.fixture
async def bolna() -> AsyncIterator[SimulatedBolna]:
    async with SimulatedBolna(key="key") as bolna:
        yield bolna


@pytest.fixture
async def fleet(tmp_path: Path, server: Server) -> AsyncIterator[Fleet]:
    found = Fleet(tmp_path, server.postgres.create())
    yield found
    await found.close()


async def test_kills_pauses_and_stops_lose_nothing_and_leave_no_batch_unpolled(
    fleet: Fleet,
    server: Server,
    bolna: SimulatedBolna,
    consumer: Consumer,
    until: Until,
    figures: Figures,
) -> None:
    keeper = Watchkeeper(bolna)
    unrest = Unrest(bolna, [f"{number:032x}" for number in range(BATCHES)])
    fleet.configure(bolna, consumer, unrest.ids)
    await fleet.start(until)

    dice = Random(7)
    stopping = set(dice.sample(range(ROUNDS), STOPS))
    for number in range(ROUNDS):
        await one_round(fleet, number, server if number in stopping else None, dice, until)
    unrest.end()
    await until(lambda: at_rest(fleet.url), what="all ends are told")
    unpolled = keeper.close()
    daemons = fleet.daemons.values()
    ended = [(await daemon.stop(), daemon.stopped_in) for daemon in daemons]

    found = account(
        consumer.accepted,
        fleet.daemons["one"].stored(),
        keeper.states,
        receivers=["crm"],
        bad_signatures=consumer.bad_signatures,
    )
    faults = ROUNDS * (KILLS + 1) + STOPS
    wrong = found.complaints.splitlines()
    if TIMED:  # a machine that does other things lets attempts and polls time out
        wrong += [f"{unpolled:.1f} s unpolled"] * (unpolled > UNPOLLED)
        wrong += [f"{found.duplicates} duplicates"] * (found.duplicates > faults * SLOTS)
    wrong += [f"{event}: {fleet.logged(event)}" for event in NEVER if fleet.logged(event)]
    wrong += [f"ended by {status}" for status, _ in ended if status]
    figures.add(
        "three daemons on one Postgres",
        n=faults,
        unit="kills, pauses and stops",
        failures=found.failures or len(wrong),
        detail=f"{ROUNDS * KILLS} kills, {ROUNDS} pauses of {PAUSE:.0f} s, {STOPS} immediate stops"
        f" of the database; longest unpolled {unpolled:.1f} s of {UNPOLLED:.0f}; {found}",
    )
    assert wrong == [], found


async def one_round(
    fleet: Fleet, number: int, server: Server | None, dice: Random, until: Until
) -> None:
    """Pause one daemon beyond its lease; meanwhile the others are killed, one after the other."""
    names = list(fleet.daemons)
    paused = fleet.daemons[names.pop(number % len(names))]
    paused.pause()
    pausing = asyncio.create_task(asyncio.sleep(PAUSE))
    away = asyncio.create_task(stop_for_a_moment(server, dice)) if server else None
    for kill in range(KILLS):
        await asyncio.sleep(dice.uniform(0, PAUSE / (KILLS + 1)))
        await fleet.restart(names[kill % len(names)], until)
    if away is not None:
        await away
    await pausing
    paused.resume()
    await asyncio.sleep(REST)


async def stop_for_a_moment(server: Server, dice: Random) -> None:
    """Stop the database immediately, at any moment of a pause, and start it again."""
    await asyncio.sleep(dice.uniform(0, PAUSE / 2))
    await server.stop()
    await asyncio.sleep(dice.uniform(0, 1))
    await server.start()


async def at_rest(url: str) -> bool:
    """Tell whether every batch has settled and nothing is owed any more."""
    await asyncio.sleep(0.2)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        left = await connection.execute(
            "SELECT (SELECT count(*) FROM batches WHERE settled_at IS NULL)"
            " + (SELECT count(*) FROM deliveries WHERE state = 'pending')"
        )
        return await left.fetchone() == (0,)
