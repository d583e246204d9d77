import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import programs
from tests.cli.conftest import Run, both
from tests.conftest import Until
from tests.patient import HANG
from tests.storage.store import Store

pytestmark = pytest.mark.usefixtures("in_force")


async def test_add_makes_the_database_and_needs_no_secrets(monitor: Run, in_force: Path) -> None:
    ended = await monitor("add", "vogent", "x")

    assert ended.code == 0
    assert ended.out.startswith("1 new")
    assert (in_force.parent / "monitor.db").exists()


@both
async def test_add_says_what_is_new_what_again_and_what_known(monitor: Run, store: Store) -> None:
    await store.add("known", "gone", "asleep")
    await store.run("UPDATE batches SET watched = FALSE WHERE external_id = 'gone'")
    await store.run("UPDATE batches SET next_poll_at = NULL WHERE external_id = 'asleep'")

    ended = await monitor("add", "bolna", "known", "gone", "asleep", "fresh", "fresh")

    assert [line.split(":")[0] for line in ended.out.splitlines()] == [
        "1 new",
        "1 again",
        "1 woken",
        "1 already watched",
        "next",
    ]


async def test_one_uuid_is_one_batch_in_any_notation(monitor: Run) -> None:
    bare, dashed = "3c90c3cc0d444b5088888dd25736052a", "3C90C3CC-0D44-4B50-8888-8DD25736052A"

    added = await monitor("add", "bolna", bare, dashed)
    shown = await monitor("show", "bolna", dashed, "-o", "json")
    removed = await monitor("remove", "bolna", dashed, bare)

    assert added.out.startswith("1 new")
    assert shown.json["id"] == bare
    assert (removed.code, removed.out) == (
        0,
        "1 no longer watched; history and sequence are kept\n",
    )


async def test_add_keeps_labels_and_name(monitor: Run) -> None:
    await monitor(
        "add", "bolna", "x", "--label", "team=a=b", "--label", "k=", "--name", "a[/b].csv"
    )

    (batch,) = (await monitor("list", "-o", "json")).json
    assert batch["labels"] == {"team": "a=b", "k": "", "env": "prod"}
    assert batch["name"] == "a[/b].csv"
    assert batch["origin"] == "added"


async def test_add_reads_ids_from_standard_input(monitor: Run) -> None:
    lines = "\ufeffone\r\n\n  two  \none\nthree"

    ended = await monitor("add", "bolna", "zero", "-", stdin=lines.encode())

    listed = (await monitor("list", "-o", "json")).json
    assert ended.out.startswith("4 new")
    assert [batch["id"] for batch in listed] == ["three", "two", "one", "zero"]


@pytest.mark.parametrize("command", ["add", "remove"])
async def test_nothing_on_standard_input_is_wrong_usage(command: str, monitor: Run) -> None:
    ended = await monitor(command, "bolna", "-", stdin="\n\n")

    assert ended.code == 2
    assert "standard input holds no ids" in ended.err


async def test_add_names_all_bad_ids_in_one_go_and_registers_nothing(monitor: Run) -> None:
    bad = b"https://app.bolna.ai/batches/3c90c3cc0d444b50\na b\n..\n\xff\xfe\nfine\nred\x1b[31m\n"

    ended = await monitor("add", "bolna", "-", stdin=bad)

    lines = ended.err.splitlines()
    assert ended.code == 1
    assert len(lines) == 6
    assert lines[0].endswith("this is a URL, not a batch id: paste only '3c90c3cc0d444b50'")
    assert lines[-1] == "nothing was registered"
    assert "\x1b" not in ended.err
    assert (await monitor("add", "bolna", "fine")).out.startswith("1 new")


async def test_an_unknown_source_names_the_known_ones(monitor: Run) -> None:
    ended = await monitor("add", "bolan", "x")

    assert ended.code == 1
    assert ended.err == (
        'there is no source "bolan"; did you mean "bolna"? There are: bolna, vogent\n'
    )


async def test_remove_stops_watching_and_names_the_unknown(monitor: Run) -> None:
    await monitor("add", "bolna", "one", "two", "three")

    ended = await monitor("remove", "bolna", "one", "nine", "../x", "-", stdin="two\n")

    listed = (await monitor("list", "-o", "json")).json
    assert ended.code == 1
    assert ended.out.startswith("2 no longer watched")
    assert ended.err.splitlines() == [
        "'nine': bolna watches no such batch",
        "'../x': a batch id cannot hold \"/\"",
        "`monitor list 'source = bolna'` shows those it watches",
    ]
    assert [batch["id"] for batch in listed] == ["three"]


async def test_removing_a_declared_batch_warns_that_it_comes_back(monitor: Run) -> None:
    await monitor("add", "bolna", "declared", "other")

    ended = await monitor("remove", "bolna", "declared", "other")

    assert ended.code == 0
    assert ended.err.startswith("warning: ")
    assert "declares declared: the next start or reload watches it again" in ended.err
    assert "other" not in ended.err


@both
async def test_batches_of_a_source_that_left_can_be_removed(monitor: Run, store: Store) -> None:
    await store.add("x", source="old")

    unknown = await monitor("remove", "older", "x")
    known = await monitor("remove", "old", "x")

    assert unknown.code == 1
    assert 'there is no source "older"' in unknown.err
    assert known.code == 0


async def test_several_that_add_at_once_all_succeed(process: Run) -> None:
    ended = await asyncio.gather(*(process("add", "bolna", f"x{n}") for n in range(3)))

    assert [one.code for one in ended] == [0, 0, 0]


async def test_adding_says_what_is_still_missing_for_anybody_to_hear(
    monitor: Run, rewrite: Callable[[str], None]
) -> None:
    rewrite('[sources.bolna]\nprovider = "bolna"\napi_key = "k"\n')

    ended = await monitor("add", "bolna", "x")

    assert (ended.code, ended.out) == (
        0,
        "1 new: picked up by the next daemon\nnext: `monitor run`\n",
    )
    assert ended.err.splitlines() == [
        "no daemon is alive: `monitor run` starts one",
        "there are no routes, so no event goes anywhere: add a [receivers.NAME] table, and a"
        " [[routes]] table that leads to it",
    ]


@pytest.mark.usefixtures("daemon")
async def test_a_daemon_picks_up_what_is_added(monitor: Run) -> None:
    assert (await monitor("add", "bolna", "x")).out.splitlines() == [
        "1 new: picked up by the daemon within 2 s",
        "next: `monitor list`",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("command", ["add", "remove"])
async def test_one_ctrl_c_ends_a_read_of_ids_that_do_not_come(command: str, until: Until) -> None:
    reading, writing = os.pipe()
    child = await programs.start(command, "bolna", "-", stdin=reading)
    waits = Path(f"/proc/{child.pid}/wchan")
    await until(lambda: "pipe" in waits.read_text())

    child.send_signal(signal.SIGINT)

    assert await asyncio.wait_for(child.wait(), HANG) == 130
    os.close(reading)
    os.close(writing)


async def test_remove_takes_the_beginning_of_an_id_as_an_argument_alone(monitor: Run) -> None:
    batch_id = "3c90c3cc0d444b5088888dd25736052a"
    await monitor("add", "bolna", batch_id)

    piped = await monitor("remove", "bolna", "-", stdin="3c90c3cc")
    given = await monitor("remove", "bolna", "3c90c3cc")

    assert (piped.code, given.code) == (1, 0)
    assert "bolna watches no such batch" in piped.err
    assert given.out.splitlines() == [
        "1 no longer watched; history and sequence are kept",
        f"3c90c3cc was {batch_id}",
    ]
