import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import programs
from tests.programs import PIPE, Program
from tests.simulator.process import batch_ids, main


@asynccontextmanager
async def simulator(*options: str) -> AsyncIterator[tuple[Program, Any]]:
    process = await programs.start(
        *("--key", "the key", *options), module="tests.simulator.process", stdout=PIPE
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("provider", "collection"), [("bolna", "batches"), ("vogent", "batch_dial_jobs")]
)
async def test_a_process_serves_records_and_stops_at_a_signal(
    http: aiohttp.ClientSession, tmp_path: Path, provider: str, collection: str
) -> None:
    file = tmp_path / "record"
    options = ("--provider", provider, "--batches", "3", "--seed", "7", "--record", str(file))

    async with simulator(*options) as (process, hello):
        for batch_id in hello["batches"]:
            async with http.get(f"{hello['base_url']}/{collection}/{batch_id}") as response:
                assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0

    *changes, totals = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["batch"] for line in changes] == hello["batches"]
    assert totals == {"answers": 3, "lines": 3, "violations": []}


@pytest.mark.parametrize(
    ("provider", "path", "key"),
    [
        ("bolna", "batches/{}/all", "created_at"),
        ("vogent", "batch_dial_jobs?limit=100", "createdAt"),
    ],
)
async def test_its_batches_can_be_discovered(
    http: aiohttp.ClientSession, provider: str, path: str, key: str
) -> None:
    async with simulator("--provider", provider, "--batches", "2") as (_, hello):
        agent = ""
        if provider == "bolna":
            async with http.get(f"{hello['base_url']}/v2/agent/all") as response:
                (agent,) = [each["id"] for each in await response.json()]
        async with http.get(f"{hello['base_url']}/{path.format(agent)}") as response:
            body = await response.json()

    shown = body if provider == "bolna" else body["data"]
    assert [each.get("batch_id", each.get("id")) for each in shown] == hello["batches"]
    ages = [datetime.now(UTC) - datetime.fromisoformat(each[key]) for each in shown]
    assert all(timedelta(-1) < age < timedelta(days=1) for age in ages)


async def test_a_process_ends_by_itself() -> None:
    async with simulator("--provider", "bolna", "--duration", "0.01s") as (process, hello):
        assert await process.wait() == 0

    assert len(hello["batches"]) == 20


def test_a_seed_names_its_batches() -> None:
    assert batch_ids("bolna", 3, seed=1) == batch_ids("bolna", 5, seed=1)[:3]
    assert batch_ids("bolna", 3, seed=1) != batch_ids("bolna", 3, seed=2)
    assert all(len(batch_id) == 32 for batch_id in batch_ids("vogent", 3, seed=1))


@pytest.mark.parametrize("duration", ["", "soon", "-5s", "5d", "1e9"])
def test_an_unusable_duration_is_wrong_usage(
    duration: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--provider", "bolna", "--key", "k", f"--duration={duration}"])

    assert caught.value.code == 2
    assert "must be a duration" in capsys.readouterr().err
