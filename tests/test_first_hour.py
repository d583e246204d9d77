"""The way of README from a key to the first message, beside a simulated provider and a Slack."""

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.conftest import Until
from tests.consumer import Consumer
from tests.test_readme import block

ROOT = Path(__file__).parent.parent
BATCH = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


@pytest.fixture
async def slack() -> AsyncIterator[Consumer]:
    found = Consumer(secret=None, path="/services/T/B/x")
    found.text = "ok"
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def bolna() -> AsyncIterator[SimulatedBolna]:
    async with SimulatedBolna(key="the-key") as api:
        api.agents["a1"] = [BATCH]
        yield api


def show(bolna: SimulatedBolna, status: str) -> None:
    now = datetime.now(UTC).isoformat()
    bolna.put(BATCH, bolna_document(BATCH, status=status, created_at=now))


def lead_here(config: Path, bolna: SimulatedBolna) -> None:
    """Let a config that `init` wrote lead to this machine, and be quick."""
    here = "allow_http = true\nallow_private = true\n"
    source, receiver = "[sources.bolna-prod]\n", "[receivers.ops]\n"
    text = config.read_text().replace(source, f'{source}{here}base_url = "{bolna.base_url}"\n')
    text = text.replace(receiver, f"{receiver}{here}")
    config.write_text(f'[polling]\ninterval = "100ms"\n{text}')


async def test_the_commands_of_the_readme_lead_from_a_key_to_a_message(
    tmp_path: Path, bolna: SimulatedBolna, slack: Consumer, until: Until
) -> None:
    heading = "## From a real key to the first Slack message"
    _, *lines = block("console", heading).splitlines()
    commands = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    environ = {name: value for name, value in os.environ.items() if "MONITOR_" not in name} | {
        "PYTHONPATH": str(ROOT),
        "BOLNA_API_KEY": "the-key",
        "SLACK_WEBHOOK_URL": slack.url,
        "MONITOR_LISTEN": "127.0.0.1:0",
    }

    async def start(command: list[str]) -> asyncio.subprocess.Process:
        assert command.pop(0) == "monitor"
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "monitor", *command),
            cwd=tmp_path,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
        )

    async def say(command: list[str]) -> str:
        """Run a command; return what it says, which must be good."""
        process = await start(command)
        out = (await process.communicate())[0].decode()
        assert process.returncode == 0, out
        return out

    show(bolna, "queued")
    init, check, batches, test, run = commands
    wrote = await say(init)
    lead_here(tmp_path / "config.toml", bolna)
    checked, listed, tested = [await say(command) for command in (check, batches, test)]
    daemon = await start(run)
    await until(lambda: len([served for served in bolna.served if served.batch == BATCH]) > 0)
    show(bolna, "running")
    await until(lambda: len(slack.arrived) >= 2)
    daemon.send_signal(signal.SIGTERM)
    await daemon.communicate()

    for said, following in zip((wrote, checked, listed), (check, batches, run), strict=True):
        assert re.search(rf"next: .*-m monitor {shlex.join(following)}`", said.splitlines()[-1])
    assert BATCH in listed
    assert "delivered, 200" in tested
    assert "Test: ops" in str(slack.arrived[0].body)
    assert BATCH in str(slack.arrived[1].body)
    assert bolna.violations == []
    assert daemon.returncode == 0
