"""What README shows is true: the payload, the consumer in Python, the lists of events."""

import asyncio
import json
import re
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from monitor.core.delivery import Delivery, VerdictKind
from monitor.core.event import EventType, SubjectKind
from monitor.settings import Secret
from monitor.sinks import WebhookSettings, build

README = (Path(__file__).parent.parent / "README.md").read_text()
SECRET = "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qga2V5ISE="


def block(language: str) -> str:
    """Return the first code block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_the_python_consumer_accepts_what_is_signed_and_refuses_what_is_not(
    tmp_path: Path,
) -> None:
    port = free_port()
    script = tmp_path / "consumer.py"
    script.write_text(block("python").replace("whsec_...", SECRET).replace("8000", str(port)))
    consumer = await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(script),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await answers(port)
        assert await send(port, SECRET) == (VerdictKind.DELIVERED, 204)
        assert consumer.stdout is not None
        shown = await asyncio.wait_for(consumer.stdout.readline(), 10)
        assert shown.split() == [b"batch.status_changed", b"3c90c3cc0d444b5088888dd25736052a", b"4"]
        assert await send(port, SECRET.replace("dGhp", "dGhq")) == (VerdictKind.RETRY, 401)
    finally:
        consumer.terminate()
        await consumer.wait()


async def answers(port: int) -> None:
    """Return once somebody listens on a port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


async def send(port: int, secret: str) -> tuple[VerdictKind, int | None]:
    """Send README's payload through the real sink; return the verdict."""
    body = block("json").encode()
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
        event_id=json.loads(body)["id"],
        event_type="batch.status_changed",
        body=body,
        receiver="crm",
        subject_kind=SubjectKind.BATCH,
        subject_row=1,
        sequence=4,
        attempts=0,
        enqueued_at=datetime.now(UTC),
    )
    verdict = await sink.send(delivery, sent_at=datetime.now(UTC))
    await sink.close()
    return verdict.kind, verdict.status_code


def test_every_type_of_event_is_listed() -> None:
    table = README[README.index("| type | when |") :]
    for kind in EventType:
        room, word = kind.split(".")
        assert f"`{kind}`" in table or f"`.{word}`" in table, room


def test_every_metric_is_in_the_deploy_notes() -> None:
    notes = (Path(__file__).parent.parent / "deploy" / "README.md").read_text()
    source = (Path(__file__).parent.parent / "monitor" / "engine" / "metrics.py").read_text()
    for name in re.findall(r'"(monitor_[a-z_]+)"', source):
        assert name in notes
