"""What README shows is true: the payload, the consumer, the lists of events, the guides."""

import asyncio
import json
import os
import re
import shlex
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from monitor.core.delivery import VerdictKind
from monitor.core.event import EventType
from tests.conftest import Until
from tests.documented_consumers import OTHER_SECRET, line, running, send
from tests.providers.made_up_api import ACCESS, MadeUpApi

README = (Path(__file__).parent.parent / "README.md").read_text()


def block(language: str, heading: str = "") -> str:
    """Return the first code block of a language under a heading."""
    found = re.search(rf"```{language}\n(.*?)```", README[README.index(heading) :], re.DOTALL)
    assert found is not None
    return found[1]


async def test_the_python_consumer_accepts_what_is_signed_and_refuses_what_is_not(
    tmp_path: Path,
) -> None:
    body = block("json").encode()

    async with running(block("python"), tmp_path) as (port, output):
        assert await send(port, body) == (VerdictKind.DELIVERED, 204)
        shown = await line(output)
        assert await send(port, body, OTHER_SECRET) == (VerdictKind.RETRY, 401)

    assert shown == ["batch.status_changed", "3c90c3cc0d444b5088888dd25736052a", "4"]


def test_every_type_of_event_is_listed() -> None:
    table = README[README.index("| type | when |") :]
    for kind in EventType:
        room, word = kind.split(".")
        assert f"`{kind}`" in table or f"`.{word}`" in table, room


async def test_the_guide_to_a_provider_of_ones_own_leads_to_its_end(
    tmp_path: Path, until: Until
) -> None:
    heading = "## Add your provider"
    table = block("toml", heading)
    answer = block("text", heading)
    export, *commands = [
        line.removeprefix("$ ").partition("#")[0] for line in block("console", heading).splitlines()
    ]
    poll, add, run = (shlex.split(command) for command in commands)
    variable = export.removeprefix("export ").partition("=")[0]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MONITOR_")}
    environ |= {variable: "the-key", "MONITOR_LISTEN": "127.0.0.1:0", "COLUMNS": "120"}

    async def start(command: list[str]) -> asyncio.subprocess.Process:
        assert command.pop(0) == "monitor"
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "monitor", *command),
            cwd=tmp_path,
            env=environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    def has_found_and_completed() -> bool:
        with (
            closing(sqlite3.connect(tmp_path / "monitor.db")) as database,
            suppress(sqlite3.OperationalError),
        ):
            found = database.execute("SELECT type FROM events ORDER BY type").fetchall()
            return found == [("batch.completed",), ("batch.first_seen",), ("batch.first_seen",)]
        return False

    def listed(batch_id: str, *, has_more: bool) -> bytes:
        item = {"id": batch_id, "created": datetime.now(UTC).isoformat()}
        return json.dumps({"campaigns": [item], "has_more": has_more, "last_id": batch_id}).encode()

    async with MadeUpApi() as api:
        api.put("/v1/campaigns/c-42", answer.encode())
        api.put("/v1/campaigns/c-43", answer.replace("c-42", "c-43").encode())
        api.put("/v1/campaigns?limit=100", listed("c-42", has_more=True))
        api.put("/v1/campaigns?limit=100&after=c-42", listed("c-43", has_more=False))
        config = table.replace("https://api.acme.example", api.origin)
        (tmp_path / "config.toml").write_text(config.replace("bearer", f"{ACCESS}bearer"))
        polled = (await (await start(poll)).communicate())[0].decode()
        added = (await (await start(add)).communicate())[0].decode()
        ended = re.sub('"ringing": 2, "queued": 1', '"unreachable": 3', answer)
        api.put("/v1/campaigns/c-42", ended.replace("dialing", "done").encode())
        daemon = await start(run)
        await until(has_found_and_completed)
        daemon.send_signal(signal.SIGTERM)
        await daemon.communicate()

    assert len(table.splitlines()) <= 25
    assert 'campaign.state → "dialing"' in polled
    assert "57.1%  4 finished, 3 open of 7" in polled
    assert "name      January reminders" in polled
    assert added.startswith("1 new")
    assert daemon.returncode == 0
    assert api.requests[0].headers["Authorization"] == "Bearer the-key"
