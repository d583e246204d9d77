import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.cli import follow_events
from monitor.storage.database import Database
from monitor.storage.instances import touch_instance
from tests import programs
from tests.cli.conftest import Run, both
from tests.patient import HANG
from tests.postgres import Postgres
from tests.programs import PIPE, Program
from tests.storage.store import MINUTE, NOW, Store

pytestmark = pytest.mark.usefixtures("in_force")


class Following:
    """A command that follows, and what it prints."""

    def __init__(self, child: Program) -> None:
        self.child = child

    async def line(self) -> str:
        assert self.child.stdout is not None
        return (await asyncio.wait_for(self.child.stdout.readline(), HANG)).decode().rstrip("\n")

    async def complaint(self) -> str:
        assert self.child.stderr is not None
        return (await asyncio.wait_for(self.child.stderr.readline(), HANG)).decode()

    async def interrupt(self) -> tuple[int, bytes]:
        """Press Ctrl-C; return the exit code and what was said on standard error."""
        self.child.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(self.child.communicate(), HANG)
        assert self.child.returncode is not None
        return self.child.returncode, said


@asynccontextmanager
async def following(*arguments: str) -> AsyncIterator[Following]:
    child = await programs.start("events", "--follow", *arguments, stdout=PIPE, stderr=PIPE)
    try:
        yield Following(child)
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


async def lived(store: Store, times: int, *, start: datetime) -> None:
    """Let a batch tell so many events, a minute apart."""
    await store.add("x", at=start)
    for number in range(times):
        await store.tell("x", at=start + number * MINUTE)


@pytest.mark.usefixtures("daemon")
async def test_the_last_ten_come_first_then_each_as_it_is_committed(store: Store) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    await lived(store, 12, start=start)

    async with following() as follow:
        old = [await follow.line() for _ in range(10)]
        await store.tell("x", at=start + 13 * MINUTE)
        new = await follow.line()
        code, said = await follow.interrupt()

    assert all("batch.counts_changed" in line for line in [*old, new])
    assert old == sorted(old)
    assert "ringing +1" in new
    assert (code, said.strip()) == (130, b"")


@both
async def test_json_is_a_document_a_line_as_sent_and_since_begins_with_the_oldest(
    store: Store,
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=30)
    await lived(store, 12, start=start)

    async with following("--since", "1h", "-o", "json") as follow:
        old = [await follow.line() for _ in range(12)]
        await store.tell("x", at=start + 13 * MINUTE)
        new = await follow.line()

    bodies = await store.rows("SELECT body FROM events ORDER BY sequence")
    assert [*old, new] == [bytes(row[0]).decode() for row in bodies]


async def test_matchers_and_limit_choose_the_old_and_the_new(store: Store) -> None:
    start = datetime.now(UTC) - timedelta(minutes=30)
    await lived(store, 5, start=start)
    await store.add("y", at=start)

    async with following("batch = x", "-n", "2", "-o", "json") as follow:
        old = [json.loads(await follow.line()) for _ in range(2)]
        await store.tell("y", at=start + 6 * MINUTE)
        await store.tell("x", at=start + 7 * MINUTE)
        new = json.loads(await follow.line())

    assert [event["data"]["sequence"] for event in [*old, new]] == [4, 5, 6]


@pytest.mark.usefixtures("daemon")
async def test_a_closed_pipe_ends_it_quietly_without_another_event(store: Store) -> None:
    await lived(store, 1, start=datetime.now(UTC) - timedelta(minutes=30))
    child = await asyncio.create_subprocess_shell(
        f"set -o pipefail; '{sys.executable}' -m monitor events --follow | head -1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        executable="/bin/bash",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    out, err = await asyncio.wait_for(child.communicate(), HANG)

    assert (child.returncode, err) == (0, b"")
    assert b"batch.first_seen" in out


async def test_a_database_that_is_away_is_told_once_and_nothing_is_lost(
    postgres: Postgres,
    postgres_url: str,
    open_database: Callable[[str], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MONITOR_DATABASE_URL", postgres_url)
    store = Store(open_database(postgres_url))
    await touch_instance(store.database, "one", now=datetime.now(UTC))
    start = datetime.now(UTC) - timedelta(minutes=30)
    await lived(store, 1, start=start)

    async with following("-o", "json") as follow:
        await follow.line()
        with postgres.away(postgres_url):
            away = await follow.complaint()
        await store.database.close()
        await store.tell("x", at=start + 2 * MINUTE)
        back = await follow.complaint()
        new = json.loads(await follow.line())

    assert away.endswith("; trying on\n")
    assert back == "the database answers again\n"
    assert new["data"]["sequence"] == 2


async def test_that_there_is_nothing_yet_and_no_daemon_alive_is_told(store: Store) -> None:
    await touch_instance(store.database, "one", now=NOW)

    async with following() as follow:
        told = [await follow.complaint() for _ in range(2)]

    assert told[0] == "no events yet, waiting\n"
    assert told[1].startswith("no daemon is alive: the last was seen at 2026-01-29 08:31:00 UTC;")


async def test_a_daemon_that_dies_is_told_once_until_another_is_alive(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(follow_events, "CHECK_EVERY", 1)
    daemon = follow_events.DaemonWatch(store.database)

    for seen_at in (datetime.now(UTC), NOW, NOW, datetime.now(UTC), NOW):
        await store.run("DELETE FROM instances")
        await touch_instance(store.database, "one", now=seen_at)
        await daemon.look()

    assert capsys.readouterr().err.count("no daemon is alive") == 2


async def test_without_a_database_there_is_nothing_to_follow(process: Run, in_force: Path) -> None:
    ended = await process("events", "--follow")

    assert ended.code == 1
    assert ended.err.startswith(f"no database at {in_force.parent}/monitor.db yet")


async def test_of_no_old_ones_only_the_new_ones_come_as_with_tail(store: Store) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    await lived(store, 3, start=start)

    async with following("-n", "0", "-o", "json") as follow:
        assert (await follow.complaint()).startswith("no daemon is alive")  # it has begun
        await store.tell("x", at=start + 13 * MINUTE)
        new = json.loads(await follow.line())
        await follow.interrupt()

    assert new["data"]["sequence"] == 4
