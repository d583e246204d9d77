import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from docs.generate.lives import told
from docs.generate.regions import PAGES
from monitor.core.delivery import VerdictKind
from monitor.core.event import EventType
from monitor.facts.examples import example_of
from monitor.sinks.webhook import WebhookSettings
from tests.documented_consumers import OTHER_SECRET, SECRET, line, running, send

PAGE = (PAGES / "consumers.md").read_text(encoding="utf-8")
Run = Callable[[], AbstractAsyncContextManager[tuple[int, asyncio.StreamReader]]]
DELIVERED = (VerdictKind.DELIVERED, 204)
REFUSED = (VerdictKind.RETRY, 401)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(params=["python", "js"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run the whole consumer of a language: as often as a test wants, in one folder."""
    language: str = request.param
    return lambda: running(blocks(language)[0], tmp_path, language=language)


def body(event_type: EventType) -> bytes:
    return json.dumps(told()[event_type]).encode()


async def test_the_consumer_works_once_per_event_also_over_a_restart(run: Run) -> None:
    first, last = body(EventType.STATUS_CHANGED), body(EventType.COMPLETED)

    async with run() as (port, output):
        assert await send(port, first) == DELIVERED
        assert await send(port, first) == DELIVERED
        assert await send(port, last) == DELIVERED
        assert (await line(output))[::2] == ["batch.status_changed", "4"]
        assert (await line(output))[::2] == ["batch.completed", "6"]
    async with run() as (port, output):
        assert await send(port, last) == DELIVERED
        assert await send(port, body(EventType.FAILED)) == DELIVERED
        assert (await line(output))[::2] == ["batch.failed", "6"]


async def test_the_consumer_keeps_the_newest_of_each_batch(run: Run, tmp_path: Path) -> None:
    types = (EventType.COMPLETED, EventType.STATUS_CHANGED, EventType.UNREACHABLE)

    async with run() as (port, _):
        for event_type in types:
            assert await send(port, body(event_type)) == DELIVERED

    with closing(sqlite3.connect(tmp_path / "consumer.db")) as database:
        kept = dict(database.execute("SELECT phase, sequence FROM batches").fetchall())
    assert kept == {"ended": 6, "running": 2}


async def test_the_consumer_takes_events_of_sources_and_tests(run: Run) -> None:
    async with run() as (port, _):
        assert await send(port, body(EventType.SOURCE_FAILING)) == DELIVERED
        assert await send(port, body(EventType.TEST)) == DELIVERED


async def test_the_consumer_accepts_either_secret_of_a_rotation_and_no_other(run: Run) -> None:
    event = body(EventType.STATUS_CHANGED)

    async with run() as (port, _):
        assert await send(port, event, f"{OTHER_SECRET} {SECRET}") == DELIVERED
        assert await send(port, event, OTHER_SECRET) == REFUSED


async def test_the_consumer_refuses_what_is_forged_or_replayed_later(run: Run) -> None:
    event = body(EventType.STATUS_CHANGED)
    headers = {"webhook-id": "evt_A", "webhook-timestamp": "now", "webhook-signature": "v1,AAAA"}

    async with run() as (port, output):
        for sent in ({}, headers, headers | {"webhook-timestamp": str(int(time.time()))}):
            url = f"http://127.0.0.1:{port}/"
            async with aiohttp.request("POST", url, data=event, headers=sent) as answer:
                assert answer.status == 401
        assert await send(port, event, age=timedelta(minutes=6)) == REFUSED
        assert await send(port, event, age=timedelta(minutes=4)) == DELIVERED
        assert (await line(output))[::2] == ["batch.status_changed", "4"]


async def test_the_consumer_outlives_a_request_that_is_cut_off(run: Run) -> None:
    async with run() as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

        assert await send(port, body(EventType.STATUS_CHANGED)) == DELIVERED


def test_what_the_page_does_with_the_schema_finds_what_is_not_promised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PAGES)
    check = blocks("python")[1]
    document = example_of(EventType.FAILED)

    exec(check, {"event": document})  # noqa: S102 (our own page)
    well = capsys.readouterr().out
    del document["data"]["phase"]
    exec(check, {"event": document})  # noqa: S102 (our own page)

    assert well == ""
    assert "phase" in capsys.readouterr().out


def test_what_the_page_says_of_the_schedule_is_true() -> None:
    schedule = WebhookSettings.model_fields["retry_schedule"].default
    timeout = WebhookSettings.model_fields["timeout"].default
    hours = sum(wait.total_seconds() for wait in schedule) / 3600

    assert f"{len(schedule) + 1} attempts in {int(hours)} h" in PAGE.replace("\n", " ")
    assert f"up to {hours * 1.2:.0f} h" in PAGE
    assert f"({timeout.total_seconds():.0f} s)" in PAGE
