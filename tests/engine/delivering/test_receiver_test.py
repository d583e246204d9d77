from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.app import build_receiver
from monitor.config.load import load
from monitor.engine.delivering.receiver_test import send_receiver_test
from monitor.storage.deliveries.claim import EndedAttempt
from monitor.storage.receivers import register_receivers
from tests.engine.rig import Rig


@pytest.fixture
async def rig(tmp_path: Path, database_url: str) -> AsyncIterator[Rig]:
    async with Rig(tmp_path, database_url) as rig:
        await rig.build()
        yield rig
        await rig.database.close()


async def try_crm(rig: Rig) -> EndedAttempt:
    row = (await register_receivers(rig.database, ["crm"]))["crm"]
    receiver = build_receiver(load(rig.write()), row)
    try:
        return await send_receiver_test(rig.database, receiver, row)
    finally:
        await receiver.sink.close()


async def test_a_test_arrives_signed_and_is_settled(rig: Rig) -> None:
    tried = await try_crm(rig)

    assert tried.arrived
    assert [event["type"] for event in rig.crm.events] == ["monitor.test"]
    assert await rig.value("SELECT state FROM deliveries") == "delivered"


async def test_a_test_that_is_refused_is_dead_and_the_next_one_has_the_next_number(
    rig: Rig,
) -> None:
    rig.crm.script.append(500)

    first, second = await try_crm(rig), await try_crm(rig)

    assert (first.arrived, second.arrived) == (False, True)
    assert [d.sequence for d in (first.delivery, second.delivery)] == [1, 2]
    rows = await rig.rows("SELECT state FROM deliveries ORDER BY id")
    assert [row[0] for row in rows] == ["dead", "delivered"]
