from monitor.daemon.status import Status
from monitor.daemon.systemd import Systemd
from monitor.engine.loop import Bell
from tests.conftest import Outage, Until
from tests.engine.rig import Rig


def status_of(rig: Rig, *, refused: bool = False) -> Status:
    return Status(
        systemd=Systemd({}),
        readiness=rig.daemon.readiness,
        database=rig.database,
        bell=Bell(),
        reload_refused=lambda: refused,
    )


async def test_it_counts_what_is_watched_and_owed(rig: Rig, until: Until) -> None:
    rig.show("b1", "b2")
    await rig.start()
    assert await status_of(rig).line() == "0 batches watched, 0 deliveries pending"

    rig.crm.status = 503
    await rig.add("b1")
    await until(lambda: len(rig.crm.arrived) > 0)

    assert await status_of(rig).line() == "1 batch watched, 1 delivery pending"


async def test_it_says_that_the_last_reload_was_refused(rig: Rig) -> None:
    await rig.start()

    line = await status_of(rig, refused=True).line()

    assert line.endswith("pending; the last reload was refused, see the log")


async def test_it_says_why_it_is_not_ready(any_rig: Rig, outage: Outage) -> None:
    await any_rig.start()

    async with outage():
        assert (await status_of(any_rig).line()).startswith("not ready: the database ")
