from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len

from monitor.core.batch import Failures, Outcome, Phase, Reading
from monitor.core.errors import PollError
from monitor.core.event import stamp
from monitor.core.failure import FailureKind
from monitor.core.source import Health, Source
from monitor.core.unreachable import observe_failure
from monitor.storage.batches.record import BatchRecord
from monitor.storage.batches.row import failures_column
from monitor.storage.instances import touch_instance
from tests.cli.conftest import Run, both, fail_source
from tests.storage.store import MINUTE, NOW, Store, running

pytestmark = pytest.mark.usefixtures("in_force")

ENDED = Reading(
    status="executed",
    phase=Phase.ENDED,
    outcome=Outcome.COMPLETED,
    counts={"completed": 5, "busy": 2},
    valid_contacts=7,
    total_contacts=11,
    name="a[/b].csv \x1b[31m",
)


async def finish_calls(store: Store, pace: int, *, since: datetime) -> None:
    """Let so many of 100 calls finish in each of two minutes."""
    await store.add("x", at=since)
    for minute in range(3):
        left = 100 - pace * minute
        counts = {"completed": pace * minute, "ringing": left}
        shown = running(counts=counts, open_calls=left, live_calls=left, valid_contacts=100)
        await store.tell("x", reading=shown, at=since + minute * MINUTE)


async def fail(store: Store, *, kind: FailureKind, code: int | None) -> None:
    """Let the poll of the one batch that is due fail."""
    claim = await store.claim_one()
    row = store.sources["bolna"]
    seen = observe_failure(
        claim.watch,
        PollError(kind, code),
        source=Source(row=row.row, name=row.name, provider="bolna", key=row.key),
        health=Health(),
        answered_at=None,
        at=NOW,
    )
    await store.write(
        BatchRecord(watch=seen.watch, epoch=claim.epoch, next_poll_at=NOW + MINUTE, learned=False)
    )


@both
async def test_json_tells_everything_of_a_batch(monitor: Run, store: Store) -> None:
    await store.add("x", labels={"team": "collections"})
    await store.tell("x", reading=ENDED)

    (batch,) = (await monitor("list", "-o", "json")).json

    assert batch == {
        "source": "bolna",
        "provider": "bolna",
        "id": "x",
        "name": "a[/b].csv \x1b[31m",
        "origin": "added",
        "labels": {"team": "collections", "env": "prod"},
        "status": "executed",
        "phase": "ended",
        "outcome": "completed",
        "settled": True,
        "settled_by": "counts",
        "counts": {"completed": 5, "busy": 2},
        "total_contacts": 11,
        "valid_contacts": 7,
        "progress": {"total": 7, "finished": 7, "open": 0, "percent": 100.0},
        "forecast": None,
        "stalled_since": None,
        "overdue": False,
        "scheduled_at": None,
        "observed_at": "2026-01-29T08:31:00.000Z",
        "last_poll_at": "2026-01-29T08:31:00.000Z",
        "last_error": None,
        "unreachable_since": None,
        "polled": "polled",
        "next_poll_at": "2026-01-29T08:31:00.000Z",
    }


@pytest.mark.usefixtures("daemon")
async def test_a_running_batch_has_a_pace_and_an_end(monitor: Run, store: Store) -> None:
    await finish_calls(store, 20, since=datetime.now(UTC) - 3 * MINUTE)

    table = (await monitor("list")).out
    (batch,) = (await monitor("list", "-o", "json")).json

    assert batch["forecast"]["calls_per_minute"] == 20
    assert "ends in 1 min" in table or "ends in 2 min" in table
    assert "20/min, ends in " in (await monitor("list", "-o", "wide")).out


async def test_nothing_is_foretold_while_nobody_reads(monitor: Run, store: Store) -> None:
    await finish_calls(store, 20, since=datetime.now(UTC) - 3 * MINUTE)

    table = (await monitor("list")).out
    (batch,) = (await monitor("list", "-o", "json")).json

    assert batch["forecast"] is None
    assert "/min" not in table


@pytest.mark.usefixtures("daemon")
async def test_an_end_that_should_be_over_is_not_told(monitor: Run, store: Store) -> None:
    await finish_calls(store, 20, since=datetime.now(UTC) - 60 * MINUTE)

    table = (await monitor("list")).out

    assert "20/min" in table
    assert "ends" not in table


async def test_a_batch_that_stalls_says_for_how_long(monitor: Run, store: Store) -> None:
    moved_at = datetime.now(UTC) - 25 * MINUTE
    still = running(counts={"ringing": 2}, open_calls=2, live_calls=2)
    await store.add("x")
    await store.tell("x", reading=still, at=moved_at)
    await store.tell("x", reading=still, at=moved_at + 15 * MINUTE)

    table = (await monitor("list")).out
    (batch,) = (await monitor("list", "-o", "json")).json

    assert "stalled 25 min" in " ".join(table.split())
    assert batch["stalled_since"] == stamp(moved_at)


async def test_a_batch_that_is_overdue_says_for_how_long(monitor: Run, store: Store) -> None:
    now = datetime.now(UTC)
    start = now - 70 * MINUTE
    waiting = Reading(status="scheduled", phase=Phase.PENDING, scheduled_at=start)
    await store.add("x")
    await store.tell("x", reading=waiting, at=now)

    table = (await monitor("list")).out
    (batch,) = (await monitor("list", "-o", "json")).json

    assert "overdue 1 h 10 min" in " ".join(table.split())
    assert batch["overdue"]


async def test_a_table_shows_provider_text_as_text(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.add("x")
    await store.tell("x", reading=ENDED)
    monkeypatch.setenv("COLUMNS", "200")

    shown = (await monitor("list")).out
    wide = (await monitor("list", "-o", "wide")).out

    assert " ".join(shown.splitlines()[2].split()) == (
        "bolna x a[/b].csv \ufffd[31m completed 7/7 100% Jan 29 08:31"
    )
    assert " ".join(wide.splitlines()[2].split()) == (
        "bolna x a[/b].csv \ufffd[31m ended completed 7/7 100% added "
        "2026-01-29 08:31:00 UTC 2026-01-29 08:31:00 UTC"
    )


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize("name", ["n" * 60, "東京のお客様リスト" * 6, "🎉" * 40])
async def test_a_batch_is_one_line_that_fits_the_screen(
    columns: int, name: str, monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "a-source-of-quite-a-long-name"
    await store.add("3c90c3cc0d444b5088888dd25736052a", name=name, source=source)
    monkeypatch.setenv("COLUMNS", str(columns))

    _, _, row, summary = (await monitor("list")).out.splitlines()

    assert "3c90c3cc " in row
    assert cell_len(row) <= columns
    assert summary == "1 in all: 1 not read · 1 no source"


async def test_what_a_screen_cuts_is_whole_in_a_wide_table_and_in_a_pipe(
    process: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, name = "3c90c3cc0d444b5088888dd25736052a", "n" * 250
    await store.add(batch_id, name=name)

    wide = (await process("list", "-o", "wide")).out.splitlines()
    monkeypatch.delenv("COLUMNS")
    piped = (await process("list")).out.splitlines()

    for lines in (wide, piped):
        assert lines[2].split()[:3] == ["bolna", batch_id, name]


async def test_an_id_that_is_too_long_is_broken_and_all_else_stays(
    monitor: Run, store: Store
) -> None:
    ids = ["a" * 200 + "1", "a" * 200 + "2"]
    await store.add(*ids)

    lines = (await monitor("list")).out.splitlines()

    assert all(len(line) <= 80 for line in lines)
    assert sum("not read" in line for line in lines[2:-1]) == 2
    shown = "".join(line[8:].replace("not read", "").strip() for line in lines[2:-1])
    assert shown == ids[1] + ids[0]


async def test_ids_are_as_short_as_each_stands_for_one_batch(monitor: Run, store: Store) -> None:
    like = ("3c90c3cc0d444b5088888dd25736052a", "3c90c3ccffff4b5088888dd25736052a")
    others = ("9999999999999999999999", "campaign-12", "f" * 32)
    await store.add(*like, *others)

    shown = (await monitor("list")).out

    ids = {line.split()[1] for line in shown.splitlines()[2:-1]}
    assert ids == {"3c90c3cc0d44", "3c90c3ccffff", "9999999999999999999999", "campaign-12", "f" * 8}


async def test_into_a_pipe_a_batch_is_one_line(
    process: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.add("x", name="n" * 150)
    await store.tell("x")
    monkeypatch.delenv("COLUMNS")

    shown = (await process("list")).out

    assert [line.split()[0] for line in shown.splitlines()[2:-1]] == ["bolna"]


async def test_times_on_screen_are_local_with_their_zone(process: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x")

    shown = (await process("list", TZ="Asia/Kolkata")).out
    wide = (await process("list", "-o", "wide", TZ="Asia/Kolkata")).out

    assert "Polled IST" in shown
    assert " Jan 29 14:01" in shown
    assert "2026-01-29 14:01:00 IST" in wide


@both
async def test_the_newest_come_first_up_to_the_limit(monitor: Run, store: Store) -> None:
    await store.add(*(f"x{number:03}" for number in range(120)))

    table = (await monitor("list")).out
    limited = (await monitor("list", "--limit", "2")).out
    everything = (await monitor("list", "-o", "json")).json
    some = (await monitor("list", "-o", "json", "-n", "3")).json

    assert table.count("bolna") == 100
    assert "x119" in table
    assert "x019" not in table
    assert table.endswith("100 of 120: 120 not read; --limit N shows more\n")
    assert limited.count("bolna") == 2
    assert [batch["id"] for batch in everything] == [f"x{n:03}" for n in reversed(range(120))]
    assert [batch["id"] for batch in some] == ["x119", "x118", "x117"]


@both
async def test_more_than_a_page_is_listed_once_each(monitor: Run, store: Store) -> None:
    await store.add(*(f"x{number}" for number in range(2500)))

    listed = (await monitor("list", "-o", "json")).json

    assert len({batch["id"] for batch in listed}) == len(listed) == 2500


@pytest.mark.parametrize(
    ("matchers", "ids"),
    [
        (["source = bolna"], ["ended", "running"]),
        (["phase = running"], ["running"]),
        (["outcome = completed", "status = executed"], ["ended"]),
        (["batch =~ run.*"], ["running"]),
        (["team = collections"], ["running"]),
        (['team = ""'], ["ended", "other"]),
        (["env = prod"], ["ended", "running"]),
        (["provider = vogent"], ["other"]),
        (['type = ""'], ["ended", "other", "running"]),
        (['name =~ "a.*"'], ["ended"]),
        (["source != bolna", "phase = running"], []),
    ],
)
@both
async def test_matchers_see_what_those_of_routes_see(
    matchers: list[str], ids: list[str], monitor: Run, store: Store
) -> None:
    await store.add("ended")
    await store.tell("ended", reading=ENDED)
    await store.add("running", labels={"team": "collections"})
    await store.tell("running")
    await store.add("other", source="vogent")

    listed = (await monitor("list", *matchers, "-o", "json")).json

    assert sorted(batch["id"] for batch in listed) == ids


@both
async def test_removed_batches_are_not_listed(monitor: Run, store: Store) -> None:
    await store.add("x", "y")

    await monitor("remove", "bolna", "x")

    assert [batch["id"] for batch in (await monitor("list", "-o", "json")).json] == ["y"]


async def test_a_batch_that_was_never_read_says_why(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.add("x")
    await fail(store, kind=FailureKind.NOT_FOUND, code=404)

    (batch,) = (await monitor("list", "-o", "json")).json
    monkeypatch.setenv("COLUMNS", "120")
    shown = (await monitor("list")).out

    assert batch["last_error"] == {
        "kind": "not_found",
        "status_code": 404,
        "reason": None,
        "since": "2026-01-29T08:31:00.000Z",
    }
    assert batch["settled"] is None
    assert "never read: 404, wrong id, key or account?" in shown


async def test_a_batch_that_was_read_before_names_only_the_error(
    monitor: Run, store: Store
) -> None:
    await store.add("x")
    await store.tell("x")
    await fail(store, kind=FailureKind.TIMEOUT, code=None)

    shown = (await monitor("list")).out

    assert "timeout" in shown
    assert "never read" not in shown


async def test_forgotten_batches_and_those_without_source_are_shown_so(
    monitor: Run, store: Store
) -> None:
    await store.add("asleep")
    await store.add("orphan", source="left")
    await store.run("UPDATE batches SET next_poll_at = NULL WHERE external_id = 'asleep'")

    listed = (await monitor("list", "-o", "json")).json
    shown = (await monitor("list")).out

    assert {batch["id"]: (batch["polled"], batch["next_poll_at"]) for batch in listed} == {
        "asleep": ("forgotten", None),
        "orphan": ("no source", None),
    }
    assert {batch["id"]: batch["provider"] for batch in listed}["orphan"] is None
    assert "no source" in shown
    assert "forgotten: no longer polled: it settled" in shown


async def test_a_batch_that_is_being_read_is_due_when_it_was(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.claim(lease=timedelta(hours=1))

    (batch,) = (await monitor("list", "-o", "json")).json

    assert batch["next_poll_at"] == "2026-01-29T08:31:00.000Z"


async def test_a_failing_source_is_named_below_its_batches(monitor: Run, store: Store) -> None:
    await store.add("x")
    await fail_source(store)

    shown = (await monitor("list")).out

    assert "bolna is failing since 2026-01-29 08:31:00 UTC: 401, the key is refused" in shown


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "no batches yet: `monitor batches bolna`"),
        (["phase = running"], "`monitor list` shows"),
    ],
)
async def test_an_empty_list_says_what_to_do_next(
    arguments: list[str], hint: str, monitor: Run, store: Store
) -> None:
    assert hint in (await monitor("list", *arguments)).out
    assert (await monitor("list", *arguments, "-o", "json")).json == []


@pytest.fixture
def discovering(in_force: Path) -> None:
    """Let the Bolna account discover its batches."""
    text = in_force.read_text()
    in_force.write_text(text.replace("[sources.bolna]", '[sources.bolna]\ndiscover = "all"'))


@pytest.mark.usefixtures("discovering")
async def test_an_empty_list_names_sources_that_are_looked_through_and_those_that_fail(
    monitor: Run, store: Store
) -> None:
    await fail_source(store)

    ended = await monitor("list")

    assert "discovery looks for batches of bolna every 5m\n" in ended.out
    assert "bolna is failing since 2026-01-29 08:31:00 UTC: 401, the key is refused" in ended.out
    assert "looks for batches of vogent" not in ended.out
    assert ended.err == "no daemon is alive: `monitor run` starts one\n"


@pytest.mark.usefixtures("discovering")
async def test_a_failing_source_without_batches_is_named_below_those_of_others(
    monitor: Run, store: Store
) -> None:
    await store.add("x", source="vogent")
    await fail_source(store)

    assert "bolna is failing since" in (await monitor("list")).out
    assert "bolna is failing since" not in (await monitor("list", "source=vogent")).out


async def test_a_source_that_nobody_knows_is_named(monitor: Run, store: Store) -> None:
    shown = " ".join((await monitor("list", "source=bolnaa")).out.split())

    assert shown == (
        'no watched batch matches; there is no source "bolnaa"; did you mean "bolna"?'
        " There are: bolna, vogent; `monitor list` shows all"
    )


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
async def test_at_80_columns_a_time_stays_on_its_line(
    zone: str, process: Run, store: Store
) -> None:
    now = datetime.now(UTC)
    await store.add("3c90c3cc0d444b5088888dd25736052a", at=now)
    await store.run(
        "UPDATE batches SET last_poll_at = :now, failures = :failures",
        now=int(now.timestamp() * 1000),
        failures=failures_column(Failures(since=now, polls=1, kind=FailureKind.UNAUTHORIZED)),
    )

    shown = (await process("list", TZ=zone, COLUMNS="80")).out

    local = now.astimezone(ZoneInfo(zone))
    assert f"Polled {local:%Z}" in shown
    assert f"{local:%H:%M:%S} " in shown
    assert "check api_key" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


async def test_no_secret_shows_anywhere(monitor: Run, store: Store) -> None:
    await store.add("x")
    await store.tell("x")
    outputs: list[Any] = [
        await monitor(*arguments)
        for arguments in (["list"], ["show", "bolna", "x"], ["events"], ["deliveries"])
    ]

    for ended in outputs:
        assert "the-api-key" not in ended.out + ended.err
        assert "whsec_" not in ended.out + ended.err


async def test_an_account_that_a_429_pauses_is_named_until_the_pause_is_over(
    monitor: Run, store: Store
) -> None:
    await store.add("x")
    await store.run("UPDATE sources SET blocked_until = 4102444800000")

    paused = (await monitor("list")).out
    await store.run("UPDATE sources SET blocked_until = 1000")
    over = (await monitor("list")).out

    assert "bolna is paused until 2100-01-01 00:00:00 UTC: too many requests (429)" in paused
    assert "paused" not in over


async def test_batches_that_no_daemon_reads_are_told(monitor: Run, store: Store) -> None:
    await store.add("x")

    never = (await monitor("list")).err
    await touch_instance(store.database, "one", now=NOW)
    gone = (await monitor("list")).err
    await touch_instance(store.database, "one", now=datetime.now(UTC))
    alive = (await monitor("list")).err

    assert never == "no daemon is alive: `monitor run` starts one\n"
    assert gone.startswith("no daemon is alive: the last was seen at 2026-01-29 08:31:00 UTC;")
    assert alive == ""


async def trouble(store: Store) -> None:
    """Let there be batches in each kind of trouble, and newer ones that are well."""
    now = datetime.now(UTC)
    still = running(counts={"ringing": 2}, open_calls=2, live_calls=2)
    await store.add("stalled", "lost", "failing", "overdue")
    await store.tell("stalled", reading=still, at=now - 25 * MINUTE)
    start = Reading(status="scheduled", phase=Phase.PENDING, scheduled_at=now - 70 * MINUTE)
    await store.tell("overdue", reading=start, at=now - 2 * MINUTE)
    await store.tell("stalled", reading=still, at=now - MINUTE)
    for batch_id, since in (("lost", now), ("failing", None)):
        failures = Failures(
            polls=5, kind=FailureKind.NOT_FOUND, status_code=404, unreachable_since=since
        )
        await store.run(
            "UPDATE batches SET failures = :failures WHERE external_id = :id",
            failures=failures_column(failures),
            id=batch_id,
        )
    await store.add("orphan", source="left")
    await store.add("well")
    await store.tell("well", at=now)


@both
async def test_trouble_comes_first_and_is_counted(
    monitor: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    await trouble(store)

    lines = (await monitor("list")).out.splitlines()
    some = (await monitor("list", "-n", "1")).out.splitlines()

    rows = [" ".join(line.split()) for line in lines[2:8]]
    assert [row.split()[1] for row in rows] == [
        *("orphan", "overdue", "failing", "lost", "stalled", "well")
    ]
    for row, state in zip(
        rows,
        (
            "no source",
            "overdue 1 h 10 min",
            "never read: 404",
            "unreachable: 404",
            "stalled 25 min",
        ),
        strict=False,
    ):
        assert state in row
    assert lines[8] == "2 x never read: 404, wrong id, key or account?"
    counted = (
        "2 running, 1 pending, 3 not read ·"
        " 1 stalled, 1 unreachable, 1 overdue, 1 failing, 1 no source"
    )
    assert " ".join(" ".join(lines[9:]).split()) == f"6 in all: {counted}"
    assert " ".join(" ".join(some[3:]).split()) == f"1 of 6: {counted}; --limit N shows more"
    assert "orphan" in some[2]


@both
async def test_trouble_alone_can_be_chosen(monitor: Run, store: Store) -> None:
    await trouble(store)

    listed = (await monitor("list", "--trouble", "-o", "json")).json
    running_ones = (await monitor("list", "--trouble", "phase = running", "-o", "json")).json
    none = (await monitor("list", "--trouble", "phase = ended")).out

    assert [batch["id"] for batch in listed] == [
        *("orphan", "overdue", "failing", "lost", "stalled")
    ]
    assert [batch["id"] for batch in running_ones] == ["stalled"]
    assert none == "no watched batch matches and is in trouble; `monitor list` shows all\n"


@pytest.mark.parametrize(
    ("matcher", "ids"),
    [
        ("stalled = true", ["stalled"]),
        ("unreachable = true", ["lost"]),
        ("overdue = true", ["overdue"]),
        ("late = true", []),
        ('stalled = "", unreachable = "", overdue = ""', ["well", "orphan", "failing"]),
    ],
)
async def test_matchers_know_conditions(
    matcher: str, ids: list[str], monitor: Run, store: Store
) -> None:
    await trouble(store)

    listed = (await monitor("list", matcher, "-o", "json")).json

    assert [batch["id"] for batch in listed] == ids


@pytest.fixture
def tight(in_force: Path) -> None:
    """Let a source be asked once a second, and no batch more often than every 30 s."""
    text = in_force.read_text().replace('interval = "100ms"', 'interval = "30s"')
    in_force.write_text(text.replace("[sources.bolna]", '[sources.bolna]\nrate_limit = "60/min"'))


@pytest.mark.usefixtures("daemon", "tight")
async def test_polls_that_the_budget_makes_late_are_told(monitor: Run, store: Store) -> None:
    await store.add(*(f"x{number}" for number in range(90)))

    shown = (await monitor("list")).out
    await store.run("UPDATE sources SET blocked_until = 4102444800000")
    paused = (await monitor("list")).out

    assert " ".join(shown.split()).endswith(
        "bolna: polls are late, 90 are due, for which its rate_limit of 60/min takes 1 min"
        " 90 in all: 90 not read"
    )
    assert "polls are late" not in paused
