"""A database that moves to another server: the daemon goes on there without a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.accounting import account
from tests.conftest import Until
from tests.consumer import Consumer, distinct
from tests.daemon_process import DaemonProcess
from tests.faults.fleet.fleet import Watchkeeper
from tests.faults.fleet.server import run_server, run_standby
from tests.faults.settings import config
from tests.proxy import Proxy, run_proxy

BATCH = "b" * 32


async def test_a_failover_is_survived_and_so_is_a_name_that_leads_to_a_standby_for_a_while(
    tmp_path: Path, consumer: Consumer, until: Until
) -> None:
    async with (
        run_server() as old,
        run_standby(old) as new,
        SimulatedBolna(key="key") as bolna,
        run_proxy(url := old.postgres.create()) as proxy,
    ):
        keeper = Watchkeeper(bolna)
        daemon = DaemonProcess(tmp_path, proxy.url)
        daemon.configure(config(bolna.base_url, {"crm": consumer.url}, [BATCH]))
        there = str(make_url(url).update_query_dict({"host": str(new.folder)}))
        try:
            show(bolna, 1)
            await daemon.start()
            await until(told(consumer, 1), what="told at first")

            await move(proxy, there)  # nothing can be written there
            await until(refused(daemon), what="a standby is refused")
            proxy.lead_to(url)  # connections that are open stay
            show(bolna, 2)
            await until(told(consumer, 2), what="told after the way back")
            assert await connections(there) == 0, "the standby is still asked"

            await old.stop()
            new.postgres.execute("SELECT pg_promote()")
            await move(proxy, there)
            show(bolna, 3)
            await until(told(consumer, 3), what="told after the failover")
            status = await daemon.stop()
            starts = len(daemon.lines("daemon.started"))
            daemon.database_url = there
            found = account(
                consumer.accepted,
                daemon.stored(),
                keeper.states,
                receivers=["crm"],
                bad_signatures=consumer.bad_signatures,
            )
        finally:
            await daemon.close()

    assert (status, starts) == (0, 1)
    assert found.failures == 0, found


async def move(proxy: Proxy, url: str) -> None:
    """Cut all connections; new ones lead elsewhere."""
    await proxy.stop()
    proxy.lead_to(url)
    await proxy.start()


def show(bolna: SimulatedBolna, calls: int) -> None:
    """Let the batch show so many calls."""
    bolna.put(BATCH, bolna_document(BATCH, status="running", execution_status={"ringing": calls}))


def told(consumer: Consumer, calls: int) -> Callable[[], bool]:
    """Tell whether the newest event says so many calls."""

    def is_told() -> bool:
        events = distinct(consumer.of(BATCH))
        return bool(events) and events[-1]["data"]["counts"] == {"ringing": calls}

    return is_told


async def connections(url: str) -> int:
    """Count the connections to a database besides this one."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await (await connection.execute(f"SELECT count(*) {others}")).fetchone()
    assert found is not None
    return int(found[0])


def refused(daemon: DaemonProcess) -> Callable[[], Awaitable[bool]]:
    """Tell whether the daemon says that it may only read."""

    async def is_refused() -> bool:
        await asyncio.sleep(0.2)
        return "read-only" in await daemon.get("/-/ready")

    return is_refused
