import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from docs.generate.lives import told
from docs.generate.regions import PAGES
from monitor.core.delivery import VerdictKind
from monitor.core.event import EventType
from monitor.facts.examples import example_of
from monitor.sinks.webhook import WebhookSettings
from tests.documented_consumers import OTHER_SECRET, SECRET, line, running, send

PAGE = (PAGES / "consumers.md").read_text(encoding="utf-8")
DELIVERED = (VerdictKind.DELIVERED, 204)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def consumer() -> str:
    return blocks("python")[0]


def body(event_type: EventType) -> bytes:
    return json.dumps(told()[event_type]).encode()


async def test_the_consumer_works_once_per_event_also_over_a_restart(tmp_path: Path) -> None:
    first, last = body(EventType.STATUS_CHANGED), body(EventType.COMPLETED)

    async with running(consumer(), tmp_path) as (port, output):
        assert await send(port, first) == DELIVERED
        assert await send(port, first) == DELIVERED
        assert await send(port, last) == DELIVERED
        assert (await line(output))[::2] == ["batch.status_changed", "4"]
        assert (await line(output))[::2] == ["batch.completed", "6"]
    async with running(consumer(), tmp_path) as (port, output):
        assert await send(port, last) == DELIVERED
        assert await send(port, body(EventType.FAILED)) == DELIVERED
        assert (await line(output))[::2] == ["batch.failed", "6"]


async def test_the_consumer_keeps_the_newest_of_each_batch(tmp_path: Path) -> None:
    types = (EventType.COMPLETED, EventType.STATUS_CHANGED, EventType.UNREACHABLE)

    async with running(consumer(), tmp_path) as (port, _):
        for event_type in types:
            assert await send(port, body(event_type)) == DELIVERED

    with closing(sqlite3.connect(tmp_path / "consumer.db")) as database:
        kept = dict(database.execute("SELECT phase, sequence FROM batches").fetchall())
    assert kept == {"ended": 6, "running": 2}


async def test_the_consumer_takes_events_of_sources_and_tests(tmp_path: Path) -> None:
    async with running(consumer(), tmp_path) as (port, _):
        assert await send(port, body(EventType.SOURCE_FAILING)) == DELIVERED
        assert await send(port, body(EventType.TEST)) == DELIVERED


async def test_the_consumer_accepts_either_secret_of_a_rotation_and_no_other(
    tmp_path: Path,
) -> None:
    event = body(EventType.STATUS_CHANGED)

    async with running(consumer(), tmp_path) as (port, _):
        assert await send(port, event, f"{OTHER_SECRET} {SECRET}") == DELIVERED
        assert await send(port, event, OTHER_SECRET) == (VerdictKind.RETRY, 401)


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
