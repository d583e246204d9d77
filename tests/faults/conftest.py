"""A consumer that accounts for what it gets, and the daemon as a process that can be killed."""

import asyncio
import base64
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a test key!!").decode()


class Consumer:
    """Accept signed webhooks, and keep every one in the order in which it was accepted."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.received: list[tuple[float, str, str]] = []
        """When (monotonic), at which path, which event id."""
        self.other_bytes = 0
        self.duplicates = 0
        self.answer_with = 200
        self.url = ""
        self._verifier = Webhook(SECRET)
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", self._accept)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _accept(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._verifier.verify(body.decode(), dict(request.headers))
        event_id = request.headers["webhook-id"]
        if self.answer_with != 200:
            return web.Response(status=self.answer_with)
        if self.bodies.setdefault(event_id, body) != body:
            self.other_bytes += 1
        path = request.match_info["path"]
        self.duplicates += any(p == path and e == event_id for _, p, e in self.received)
        self.received.append((time.monotonic(), path, event_id))
        return web.Response()

    def events(self, path: str = "") -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return what one path accepted, by subject, each event once, as first accepted."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        seen: set[str] = set()
        for _, at, event_id in self.received:
            if event_id in seen or (path and at != path):
                continue
            seen.add(event_id)
            event = json.loads(self.bodies[event_id])
            found.setdefault((event["source"], event["subject"]), []).append(event)
        return found

    def gaps(self) -> int:
        """Count the places where a subject's sequence is not one more than before."""
        count = 0
        for events in self.events().values():
            numbers = [event["data"]["sequence"] for event in events]
            count += sum(number != place for place, number in enumerate(numbers, start=1))
        return count


class Daemon:
    """Run `monitor run` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.log = folder / "log"
        self._process: asyncio.subprocess.Process | None = None

    def configure(self, text: str) -> None:
        """Write the config file; port 0 keeps runs apart."""
        self.config.write_text('[server]\nlisten = "127.0.0.1:0"\n' + text)

    async def start(self) -> None:
        """Start it; it may not be ready yet."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "monitor", "run", "-c", str(self.config),
                stdout=log, stderr=log, env={**os.environ, "MONITOR_LOG_FORMAT": "json"},
            )  # fmt: skip

    async def kill(self) -> None:
        """End it by kill -9."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> tuple[int, float]:
        """End it by SIGTERM; return its exit status and the seconds it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(self._process.wait(), 10)
        return status, time.monotonic() - began

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run another command of the program; return its exit status and all that it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "monitor", *arguments, "-c", str(self.config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def get(self, path: str) -> str:
        """Ask the daemon's own endpoints."""
        address = self.lines("daemon.started")[-1]["listen"]
        async with aiohttp.request("GET", f"http://{address}{path}") as answer:
            return await answer.text()

    async def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            await self.kill()

    def stored(self) -> set[str]:
        """Return the ids of all events in the database."""
        with closing(sqlite3.connect(self.folder / "monitor.db")) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM events")}

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        if not self.log.exists():
            return []
        # a kill may have cut the last line off
        whole = (line for line in self.log.read_text().splitlines() if line.endswith("}"))
        return [line for line in map(json.loads, whole) if line["event"] == event]


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    """Start a consumer."""
    found = Consumer()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """Prepare a daemon; whatever happens, it does not outlive the test."""
    found = Daemon(tmp_path)
    yield found
    await found.close()
