from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiohttp import web

from monitor.daemon import heartbeat
from tests.conftest import Outage, Until
from tests.engine.rig import Rig, RoundBell

Log = pytest.CaptureFixture[str]


class Switch:
    """A dead man's switch: counts the calls, and answers with `status`."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.status = 200
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.01)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/ping/the-uuid"

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        return web.Response(status=self.status)


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    switch = Switch()
    await switch.start()
    yield switch
    await switch.stop()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beat every 50 ms, not once a minute."""
    monkeypatch.setattr(heartbeat, "EVERY", 0.05)


async def started(rig: Rig) -> RoundBell:
    """Start the daemon; return the bell of the heartbeat."""
    await rig.build()
    heartbeat: Any = rig.daemon.watchers["heartbeat"]
    heartbeat.bell = rounds = RoundBell()
    await rig.start()
    return rounds


async def said_until(until: Until, log: Log, event: str) -> str:
    """Return what is logged up to an event."""
    said = ""

    def told() -> bool:
        nonlocal said
        said += log.readouterr().out
        return event in said

    await until(told)
    return said


async def test_it_beats_by_get_while_all_is_well(rig: Rig, switch: Switch, until: Until) -> None:
    rig.monitor = f'heartbeat_url = "{switch.url}"'

    await rig.start()
    await until(lambda: len(switch.calls) >= 3)

    assert set(switch.calls) == {"GET /ping/the-uuid"}


async def test_it_is_silent_while_the_database_takes_no_writes(
    any_rig: Rig, switch: Switch, until: Until, outage: Outage
) -> None:
    rig = any_rig
    rig.monitor = f'heartbeat_url = "{switch.url}"'
    rounds = await started(rig)
    await until(lambda: len(switch.calls) >= 2)

    async with outage():
        assert await rig.daemon.readiness.problems()
        await rounds.round()  # the one under way when it began may have beaten
        calls = len(switch.calls)
        await rounds.round()
        assert len(switch.calls) == calls

    await until(lambda: len(switch.calls) > calls)


async def test_a_switch_that_refuses_is_told_once_without_its_url_and_when_it_takes_it_again(
    rig: Rig, switch: Switch, until: Until, capsys: Log
) -> None:
    switch.status = 404
    rig.monitor = f'heartbeat_url = "{switch.url}"'
    await rig.start()
    await until(lambda: len(switch.calls) >= 3)
    switch.status = 204

    said = await said_until(until, capsys, "heartbeat.recovered")

    assert said.count("heartbeat.failing") == 1
    assert "reason=404" in said
    assert "the-uuid" not in said


async def test_a_switch_that_is_gone_is_told(rig: Rig, until: Until, capsys: Log) -> None:
    rig.monitor = 'heartbeat_url = "http://127.0.0.1:9/ping"'
    await rig.start()

    said = await said_until(until, capsys, "heartbeat.failing")

    assert "reason=connect" in said


async def test_a_url_whose_variable_is_gone_is_told(
    rig: Rig, until: Until, capsys: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTBEAT_URL", "http://127.0.0.1:9/ping")
    rig.monitor = 'heartbeat_url_env = "HEARTBEAT_URL"'
    await rig.build()
    monkeypatch.delenv("HEARTBEAT_URL")
    await rig.start()

    said = await said_until(until, capsys, "heartbeat.failing")

    assert "the environment variable HEARTBEAT_URL is not set" in said


async def test_a_reload_that_brings_the_url_calls_it_at_once(
    rig: Rig, switch: Switch, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 3600.0)
    rounds = await started(rig)
    await rounds.round()
    assert switch.calls == []

    rig.monitor = f'heartbeat_url = "{switch.url}"'
    rig.write()
    rig.reload_bell.ring()

    await until(lambda: len(switch.calls) == 1)
    structlog.reset_defaults()  # a reload sets the log up anew, for an output that is gone then


async def test_a_reload_without_the_url_ends_it(rig: Rig, switch: Switch, until: Until) -> None:
    rig.monitor = f'heartbeat_url = "{switch.url}"'
    rounds = await started(rig)
    await until(lambda: len(switch.calls) >= 2)

    rig.monitor = ""
    rig.write()
    rig.reload_bell.ring()
    await until(lambda: rig.reload.config.monitor.heartbeat_url is None)

    await rounds.round()
    calls = len(switch.calls)
    await rounds.round()
    assert len(switch.calls) == calls
    structlog.reset_defaults()  # a reload sets the log up anew, for an output that is gone then
