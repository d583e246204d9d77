import os
import signal
import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from monitor.daemon import liveness
from monitor.daemon.systemd import Systemd
from tests.conftest import Until
from tests.daemon.conftest import Log, MakeProcess
from tests.engine.rig import Rig
from tests.patient import HANG
from tests.proxy import run_proxy
from tests.systemd import notify_socket

WATCHED = {"WATCHDOG_USEC": "60000000"}


async def test_it_is_ready_once_it_listens_and_says_when_it_reloads_and_stops(
    rig: Rig, process: MakeProcess, until: Until, tmp_path: Path
) -> None:
    async with notify_socket(tmp_path / "notify") as heard:
        daemon = process(rig, {"NOTIFY_SOCKET": str(heard.path), **WATCHED})
        await daemon.start()
        await until(lambda: "READY=1" in heard.lines())
        await until(lambda: bool(daemon.lines("daemon.started")))  # it comes right after
        listen = daemon.lines("daemon.started")[0]["listen"]
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{listen}/-/ready") as response,
        ):
            assert response.status == 200
        await until(lambda: "WATCHDOG=1" in heard.lines())
        await until(lambda: bool(heard.lines("STATUS=")))

        daemon.tell(signal.SIGHUP)
        await until(lambda: heard.lines("READY") == ["READY=1"] * 2)
        assert await daemon.stop() == 0

    assert heard.lines("STATUS=")[0] == "STATUS=0 batches watched, 0 deliveries pending"
    told = [line for line in heard.lines() if not line.startswith(("WATCHDOG", "STATUS"))]
    assert [line.partition("=")[0] for line in told] == [
        *("READY", "RELOADING", "MONOTONIC_USEC", "READY", "STOPPING"),
    ]


async def test_a_postgres_that_is_not_there_yet_is_waited_for(
    rig: Rig, process: MakeProcess, until: Until, tmp_path: Path, postgres_url: str
) -> None:
    async with run_proxy(postgres_url) as proxy, notify_socket(tmp_path / "notify") as heard:
        rig.url = proxy.url
        await proxy.stop()
        daemon = process(rig, {"NOTIFY_SOCKET": str(heard.path)})
        await daemon.start()
        await until(lambda: bool(heard.lines("STATUS=waiting for the database")))
        assert heard.lines("EXTEND_TIMEOUT_USEC=")
        assert not heard.lines("READY")

        await proxy.start()

        await until(lambda: "READY=1" in heard.lines())
        assert daemon.lines("database.waiting")
        assert await daemon.stop() == 0


async def test_a_stop_while_the_database_is_waited_for_is_clean(
    rig: Rig, process: MakeProcess, until: Until, postgres_url: str
) -> None:
    async with run_proxy(postgres_url) as proxy:
        rig.url = proxy.url
        proxy.hold()
        daemon = process(rig)
        await daemon.start()
        await until(lambda: proxy.waiting > 0)

        code = await daemon.stop()

    assert (code, daemon.output) == (0, "")


async def test_the_watchdog_goes_hungry_while_a_loop_hangs(
    rig: Rig,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: Log,
) -> None:
    monkeypatch.setattr(liveness, "HANG", 0.5)
    monkeypatch.setattr(liveness, "LOOK_EVERY", 0.05)
    async with notify_socket(tmp_path / "notify") as heard:
        rig.environment = {"NOTIFY_SOCKET": str(heard.path), **WATCHED}
        await rig.start()
        await until(lambda: len(heard.times("WATCHDOG=1")) >= 2)
        rig.engine._tasks["settler"].cancel()
        log.clear()  # on a busy machine it may have seemed to hang before
        await until(lambda: ("loop.hanging", "settler") in [hung(line) for line in log])

        fed, looks = len(heard.times("WATCHDOG=1")), count_looks(rig, monkeypatch)
        await until(lambda: len(looks) > 3)
        assert len(heard.times("WATCHDOG=1")) == fed


def hung(line: MutableMapping[str, Any]) -> tuple[str, str | None]:
    return line["event"], line.get("loop")


def count_looks(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Note each look at the loops: its last act is one at the bells."""
    looks: list[None] = []
    watch = rig.daemon.bells.watch

    def look() -> None:
        looks.append(None)
        watch()

    monkeypatch.setattr(rig.daemon.bells, "watch", look)
    return looks


def test_without_a_socket_nothing_is_told() -> None:
    systemd = Systemd({})

    systemd.ready()
    systemd.feed_watchdog()

    assert not systemd.listens


def test_an_abstract_socket_is_reached_and_a_line_stays_one() -> None:
    name = f"monitor-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind("\0" + name)
        ours.settimeout(HANG)

        Systemd({"NOTIFY_SOCKET": "@" + name}).status("one\nREADY=1")

        assert ours.recv(100) == b"STATUS=one READY=1"


def test_a_watchdog_of_another_process_is_not_fed(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(path))
        ours.settimeout(HANG)
        systemd = Systemd({"NOTIFY_SOCKET": str(path), "WATCHDOG_PID": "1", **WATCHED})

        systemd.feed_watchdog()
        systemd.stopping()

        assert ours.recv(100) == b"STOPPING=1"


def test_nobody_listening_any_more_disturbs_nobody(tmp_path: Path) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
