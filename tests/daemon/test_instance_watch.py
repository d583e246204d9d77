from collections.abc import Callable

from monitor.daemon.instance_watch import InstanceWatch
from monitor.storage.database import Database
from monitor.storage.servers.name import InstanceName
from tests.daemon.conftest import Log
from tests.postgres import Postgres

Open = Callable[[str], Database]


async def test_a_name_that_was_lost_is_taken_anew_and_a_second_bearer_is_told_once(
    postgres: Postgres, postgres_url: str, open_database: Open, log: Log
) -> None:
    first, second = (InstanceName(open_database(postgres_url), "one") for _ in range(2))
    namesake = InstanceWatch(first)
    await first.take()

    postgres.cut(postgres_url)
    await second.take()
    await namesake.look()
    await namesake.look()
    await second.release()
    await namesake.look()
    await namesake.look()

    assert [line["event"] for line in log] == ["instance.doubled", "instance.alone"]
    assert "another daemon named 'one'" in log[0]["reason"]
    await first.release()


async def test_while_the_server_is_away_the_loops_tell_it(
    postgres: Postgres, postgres_url: str, open_database: Open, log: Log
) -> None:
    name = InstanceName(open_database(postgres_url), "one")
    await name.take()

    with postgres.away(postgres_url):
        await InstanceWatch(name).look()

    assert log == []
    await InstanceWatch(name).look()
    await name.release()
