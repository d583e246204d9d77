import pytest

from monitor.core.delivery import Delivery, Verdict, VerdictKind
from monitor.sinks.webhook import WebhookSink
from tests.conftest import Until
from tests.engine.conftest import Log
from tests.engine.rig import Rig


async def test_an_answer_the_database_refuses_is_kept_without_its_text(
    any_rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(_self: WebhookSink, _delivery: Delivery, **_: object) -> Verdict:
        return Verdict(kind=VerdictKind.DEAD, status_code=410, response="\ud800")

    monkeypatch.setattr(WebhookSink, "send", send)
    any_rig.show("b1", "b2")
    await any_rig.start()
    await any_rig.add("b1", "b2")
    await until(lambda: len(any_rig.engine.sources) == 2)

    async def dead() -> bool:
        return bool(await any_rig.value("SELECT count(*) FROM deliveries WHERE state='dead'") == 2)

    await until(dead)

    rows = await any_rig.rows("SELECT verdict, status_code, response FROM attempts")
    assert [tuple(row) for row in rows] == [("dead", 410, None)] * 2


async def test_a_failing_answer_is_kept_with_its_text(rig: Rig, until: Until, log: Log) -> None:
    rig.crm.status = 404
    rig.show("b1")
    await rig.start()
    await rig.add("b1")

    async def tried() -> bool:
        return bool(await rig.value("SELECT count(*) FROM attempts") == 1)

    await until(tried)

    (attempt,) = await rig.rows("SELECT at, duration_ms, status_code, response FROM attempts")
    assert attempt[0] > 0
    assert attempt[1] >= 0
    assert attempt[2] == 404
    (line,) = [line for line in log if line["event"] == "delivery.failed"]
    assert line["next_try"] is not None
    assert line["attempt"] == 1
