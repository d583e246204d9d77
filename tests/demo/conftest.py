"""What tests of the demo share: documents of events, and the demo as a process."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.consumer import Arrival
from tests import programs
from tests.cli.conftest import bare_environment
from tests.programs import PIPE, STDOUT, Program

__all__ = ["bare_environment"]

PACKAGES = Path(__file__).parents[2]

Document = dict[str, Any]
Start = Callable[..., Awaitable[Program]]


def event(type_: str, status: str, counts: dict[str, int] | None = None, **more: Any) -> Document:
    """Return an event's document, as much of it as the demo reads."""
    data = {"sequence": 1, "status": status, "counts": counts}
    document = {
        "id": "evt_A",
        "type": type_,
        "source": "/sources/bolna",
        "subject": "b1",
        "time": "2026-01-29T08:31:02.114Z",
        "data": data,
    }
    data.update({name: more.pop(name) for name in [*more] if name in data})
    return document | more


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start `monitor demo`, its temporary folder in the test's; it does not outlive the test."""
    started: list[Program] = []

    async def run(*arguments: str, out: int = PIPE, **environ: str) -> Program:
        kept = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
        process = await programs.start(
            *("demo", *arguments),
            stdout=out,
            stderr=out if out != PIPE else STDOUT,
            env={**kept, "TMPDIR": str(tmp_path), "PYTHONPATH": str(PACKAGES), **environ},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


def arrival(document: Document, *, event_id: str = "evt_A", duplicate: bool = False) -> Arrival:
    """Return an event as the consumer tells of it."""
    body, at = json.dumps(document).encode(), datetime.now(UTC)
    return Arrival(id=event_id, body=body, document=document, at=at, duplicate=duplicate)


async def processes_naming(text: str) -> list[int]:
    """Return the ids of all processes whose command line has a text."""
    listing = await asyncio.create_subprocess_exec(
        *("ps", "-A", "-ww", "-o", "pid=,args="), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await listing.communicate()
    lines = out.decode(errors="replace").splitlines()
    return [int(line.split()[0]) for line in lines if text in line]
