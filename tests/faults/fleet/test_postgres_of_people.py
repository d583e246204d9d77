"""Postgres as people have it: what cannot carry the daemon ends its start, and says what to do."""

from tests.conftest import Until
from tests.daemon_process import DaemonProcess
from tests.faults.figures import Figures
from tests.faults.settings import config
from tests.pool import run_pool
from tests.postgres import Postgres

USER = "monitor_of_a_test"


async def test_what_cannot_carry_it_ends_the_start_and_the_rest_does(
    daemon: DaemonProcess,
    postgres: Postgres,
    empty_postgres_url: str,
    until: Until,
    figures: Figures,
) -> None:
    mistakes = []

    async def refuse(what: str, url: str, says: str) -> None:
        daemon.database_url = url
        daemon.configure(config("http://127.0.0.1:1", {}, []))
        await daemon.start()
        status, said = await daemon.end(), daemon.log.read_text()
        if status != 1 or says not in said or "database.waiting" in said:
            mistakes.append(f"{what}: {status}: {said}")
        daemon.log.unlink()

    async with run_pool(empty_postgres_url, "transaction") as pool:
        await refuse("a pool of transactions", pool.url, "a pool with pool_mode = session")
    narrow = postgres.create(encoding="LATIN1")
    await refuse("LATIN1", narrow, "is encoded in LATIN1")
    postgres.drop(narrow)
    with postgres.without_rights(empty_postgres_url, USER) as url:
        await refuse("no rights", url, f"GRANT USAGE, CREATE ON SCHEMA public TO {USER};")

    foreign = Postgres(empty_postgres_url)
    foreign.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
    async with run_pool(empty_postgres_url, "session") as pool:
        daemon.database_url = f"{pool.url}?options=-c%20work_mem%3D5MB&connect_timeout=60"
        daemon.configure(config("http://127.0.0.1:1", {}, []))
        await daemon.start()
        await until(lambda: daemon.lines("daemon.started") != [], what="the start")
        status = await daemon.stop()
    figures.add(
        "Postgres as people have it", n=4, unit="starts", failures=len(mistakes),
        detail="a pool of transactions, LATIN1 and no rights refused at once; a pool of sessions"
        " beside another program's alembic_version does",
    )  # fmt: skip
    assert mistakes == []
    assert status == 0
