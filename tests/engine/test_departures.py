"""What left the config: debts expire and are told, and a source's failing ends."""

import json
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.delivery import SCHEDULE, lifetime
from monitor.engine.departures import QUIET
from tests.conftest import Until
from tests.consumer import Consumer
from tests.engine.rig import Rig
from tests.simulator.faults import Fault


async def leave_receiver(rig: Rig, until: Until) -> None:
    """Owe an event to a receiver that refuses all, and take it out of the config."""
    rig.consumers["ops"] = Consumer()
    await rig.consumers["ops"].start()
    rig.consumers["ops"].status = 503
    rig.show("b1")
    await rig.start()
    await rig.add("b1")
    await until(lambda: rig.crm.types == ["batch.first_seen"])
    await until(lambda: rig.consumers["ops"].arrived != [])
    await until(lambda: not any(r.in_flight for r in rig.engine.receivers))
    await rig.consumers.pop("ops").stop()
    rig.write()
    rig.reload_bell.ring()


class Said:
    """What the log says once a reload has set it up anew: JSON on standard output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def of(self, event: str) -> list[dict[str, Any]]:
        self._text += self._capsys.readouterr().out
        lines = [json.loads(line) for line in self._text.splitlines()]
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(capsys)


async def test_debts_of_a_receiver_that_left_are_told_at_the_reload_and_expire(
    rig: Rig, until: Until, said: Said
) -> None:
    await leave_receiver(rig, until)

    await until(lambda: said.of("receiver.gone") != [])
    await rig.chores()
    await rig.advance(until, seconds=(lifetime(SCHEDULE) + timedelta(minutes=1)).total_seconds())
    await rig.chores()
    await until(rig.settled)

    (line,) = said.of("receiver.gone")
    assert (line["receiver"], line["deliveries"], line["level"]) == ("ops", 1, "warning")
    (expired,) = said.of("delivery.expired")
    assert (expired["receiver"], expired["deliveries"]) == ("ops", 1)


async def test_the_failing_of_a_source_that_left_ends_once_nobody_tries_it(
    rig: Rig, until: Until, said: Said
) -> None:
    rig.bolna.fault(Fault.unauthorized())
    await rig.build()
    await rig.add("b1")
    await rig.start()
    await until(lambda: rig.crm.types == ["source.failing"])
    written = rig.write()
    text = written.read_text()
    begin, end = text.index("[sources.bolna]"), text.index("[sources.vogent]")
    written.write_text(text[:begin] + text[end:])
    rig.reload_bell.ring()
    await until(lambda: said.of("config.reloaded") != [])
    await until(lambda: not rig.is_polling())
    await rig.chores()
    await until(rig.settled)
    early = list(rig.crm.types)

    await rig.advance(until, seconds=QUIET.total_seconds() + 61)
    await rig.chores()
    await until(lambda: rig.crm.types == ["source.failing", "source.recovered"])
    await rig.chores()

    assert early == ["source.failing"]
    failing, recovered = rig.crm.events
    assert recovered["data"]["removed"] is True
    assert recovered["data"]["error"] == failing["data"]["error"]
    assert recovered["data"]["since"] == failing["data"]["since"]
    assert recovered["data"]["sequence"] == 2
    assert len(said.of("source.gone")) == 1
