import asyncio
import os
import pkgutil
import re
import shlex
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

from monitor import __version__
from monitor.cli import commands
from monitor.cli.command import make_command
from monitor.cli.main import SECTIONS
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.cli.conftest import Run

COMMANDS = [name for section in SECTIONS.values() for name in section]


def functions() -> dict[str, Callable[..., object]]:
    """Return the function of each command that the modules have."""
    return {
        name.removeprefix("do_").replace("_", "-"): function
        for module in pkgutil.iter_modules(commands.__path__)
        for name, function in vars(import_module(f"{commands.__name__}.{module.name}")).items()
        if name.startswith("do_")
    }


async def test_version_prints_the_version(monitor: Run) -> None:
    assert (await monitor("--version")).out == f"monitor {__version__}\n"


async def test_help_lists_every_command_of_this_version(monitor: Run) -> None:
    shown = (await monitor("--help")).out

    assert set(COMMANDS) == {
        *("demo", "init", "check-config", "migrate", "run", "status", "test", "listen"),
        *("batches", "add", "remove", "list", "show", "wait", "poll"),
        *("events", "explain", "deliveries", "delivery", "redeliver", "clear"),
        *("backup", "restore"),
    }
    for command in COMMANDS:
        assert f"\n  {command} " in shown


def test_the_list_has_the_first_line_of_each_help() -> None:
    for name, line in (item for section in SECTIONS.values() for item in section.items()):
        assert (functions()[name].__doc__ or "").splitlines()[0] == line


async def last_line(script: str, *arguments: str) -> str:
    """Run a script in a Python of its own; return the last line that it printed."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    out, _ = await child.communicate()
    return out.decode().splitlines()[-1]


async def test_a_list_of_the_commands_imports_none_of_them() -> None:
    script = (
        "import sys\n"
        "from monitor.cli.main import app\n"
        "try:\n    app(['--help'], prog_name='monitor')\n"
        "except SystemExit: pass\n"
        "print('IMPORTED', [name for name in sys.modules if 'cli.commands' in name])\n"
    )
    assert await last_line(script) == "IMPORTED []"


def test_every_function_of_a_command_is_listed() -> None:
    assert set(functions()) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_help_fits_80_columns_and_names_its_config_option(
    command: str, monitor: Run
) -> None:
    shown = await monitor(command, "--help")

    assert shown.code == 0
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    assert ("-c, --config PATH" in shown.out) is (command not in ("init", "demo"))


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_help_has_examples_that_can_be_typed_and_exit_codes(
    command: str, monitor: Run
) -> None:
    shown = (await monitor(command, "--help")).out

    described, _, rest = shown.partition("  Examples:\n")
    examples = [line for line in rest.partition("\n\n")[0].splitlines() if "monitor" in line]
    assert len(described.splitlines()) >= 3
    assert examples
    for example in examples:
        ours = re.split(r" \| (?!monitor)| && | < ", example.partition("monitor ")[2])[0]
        name, *arguments = shlex.split(ours)
        assert name == command
        function = make_command(name, functions()[name])
        with function.make_context(name, arguments):
            pass
    assert "\n  Exit codes: 0 " in shown
    assert "2 " in shown.rpartition("Exit codes: ")[2]


async def test_no_help_imports_anything_heavy() -> None:
    script = (
        "import sys\n"
        "from monitor.cli.main import app\n"
        "for command in [[], *([name] for name in sys.argv[1:])]:\n"
        "    try:\n        app([*command, '--help'], prog_name='monitor')\n"
        "    except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'httpx', 'aiohttp', 'alembic', 'rich'}\n"
        "print('HEAVY', sorted((heavy | {'monitor.config'}) & set(sys.modules)))\n"
    )
    assert await last_line(script, *COMMANDS) == "HEAVY []"


async def test_a_command_that_reads_the_database_brings_no_engine() -> None:
    """`wait` and `events --follow` run for hours."""
    script = (
        "import sys\n"
        "import monitor.cli.checkup, monitor.cli.list_batches, monitor.cli.wait_for_batch\n"
        "heavy = {'monitor.app', 'monitor.engine.engine', 'prometheus_client', 'structlog'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    assert await last_line(script) == "HEAVY []"


@pytest.mark.usefixtures("in_force", "sqlite_url")
async def test_a_listing_imports_nothing_that_it_does_not_need() -> None:
    """Most of what it costs is what it imports."""
    script = (
        "import sys\n"
        "from monitor.cli.main import app\n"
        "try:\n    app(['list'], prog_name='monitor')\n"
        "except SystemExit: pass\n"
        "idle = {'alembic', 'sqlalchemy.dialects.postgresql', 'sqlalchemy.ext.asyncio', 'psycopg',"
        " 'httpx', 'aiohttp', 'apscheduler', 'prometheus_client', 'structlog', 'uvloop',"
        " 'rich.live', 'rich.progress', 'rich.markdown', 'pygments', 'standardwebhooks',"
        " 'monitor.storage.schema.tables', 'monitor.engine.engine', 'monitor.app',"
        " 'monitor.daemon', 'monitor.demo', 'monitor.simulator', 'monitor.net.http'}\n"
        "print('IDLE', sorted(idle & set(sys.modules)))\n"
    )
    assert await last_line(script) == "IDLE []"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["lst"], "Did you mean 'list', 'listen'?"),
        (["explain"], "Missing argument 'EVENT-ID"),
        (["events", "--follow", "--since", "ever"], "must be a duration"),
        (["wait", "bolna", "x", "--for", "done"], "not one of completed, failed, cancelled, ended"),
        (["wait", "bolna", "x", "--timeout", "soon"], "must be a duration"),
        (["show", "bolna"], "Missing argument 'ID"),
        (["list", "-o", "yaml"], "'yaml' is not one of table, wide, json"),
        (["list", "--limit", "0"], "must be a whole number from 1 on"),
        (["list", "--limit", "some"], "must be a whole number from 1 on"),
        (["events", "-n", "0"], "0 is for --follow"),
        (["events", "--follow", "-n", "x"], "must be a whole number from 0 on"),
        (["list", "phase running"], "needs an operator"),
        (["events", "--since", "yesterday"], "must be a duration"),
        (["events", "--since", "9999999d"], "out of range"),
        (["redeliver", "-r", "crm", "--since", "soon"], "must be a duration"),
        (["deliveries", "--state", "lost"], "not one of pending, delivered, dead"),
        (["redeliver"], "give ids of deliveries or events, or --receiver"),
        (["redeliver", "1", "--receiver", "crm"], "give either ids, or --receiver"),
        (["add", "bolna", "x", "--label", "team"], "must be K=V"),
        (["add", "bolna", "x", "--label", "type=a"], "cannot be a label"),
        (["add", "bolna", "x", "--label", "stalled=a"], "matchers know a condition by that name"),
        (["add", "bolna", "x", "-l", "k=1", "-l", "j=1", "-l", "k=2"], "'k' is given twice"),
        (["add", "bolna", "x", "--name", " "], "name: must be printable"),
        (["add", "bolna", "x", "y", "--name", "n"], "a name is for a single batch"),
    ],
)
@pytest.mark.usefixtures("in_force", "sqlite_url")
async def test_wrong_usage_exits_2_and_says_what_is_right(
    arguments: list[str], reason: str, monitor: Run
) -> None:
    ended = await monitor(*arguments)

    assert ended.code == 2
    assert reason in ended.err
    assert ended.out == ""


async def test_an_error_is_a_line_on_standard_error_and_exit_1(process: Run) -> None:
    ended = await process("list", "--config", "/nowhere/config.toml")

    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.startswith("no config file: there is no /nowhere/config.toml;")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "bolna", "x"],
        ["wait", "bolna", "x"],
        ["events"],
        ["events", "--follow"],
        ["explain", "evt_x"],
        ["deliveries"],
        ["delivery", "1"],
    ],
)
async def test_readers_say_that_there_is_no_database_yet(
    arguments: list[str], monitor: Run, in_force: Path
) -> None:
    ended = await monitor(*arguments)

    assert ended.code == 1
    assert ended.err.startswith(f"no database at {in_force.parent}/monitor.db yet")
    assert not (in_force.parent / "monitor.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "bolna", "x"],
        ["wait", "bolna", "x"],
        ["events"],
        ["events", "--follow"],
        ["explain", "evt_x"],
        ["deliveries"],
        ["delivery", "1"],
        ["add", "bolna", "x"],
        ["remove", "bolna", "x"],
        ["redeliver", "1"],
        ["test", "crm"],
        ["migrate"],
    ],
)
async def test_a_newer_schema_stops_every_command_with_both_versions(
    arguments: list[str], monitor: Run, sqlite_url: str, in_force: Path
) -> None:
    file = sqlite_url.removeprefix("sqlite:///")
    assert Path(file) == in_force.parent / "monitor.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE monitor_schema_version SET version_num = '9999'")

    ended = await monitor(*arguments)

    assert ended.code == 1
    assert "the database has schema 9999, newer than this program's" in ended.err
    assert "install the newer program" in ended.err


on_a_batch = pytest.mark.parametrize("command", ["show", "wait", "poll", "add", "remove"])


@on_a_batch
@pytest.mark.usefixtures("in_force", "sqlite_url")
async def test_a_pasted_url_is_no_id(command: str, monitor: Run) -> None:
    ended = await monitor(command, "bolna", "https://app.bolna.ai/batches/x1")

    assert ended.code == 1
    assert "this is a URL, not a batch id: paste only 'x1'" in ended.err


@on_a_batch
@pytest.mark.usefixtures("in_force", "sqlite_url")
async def test_an_unknown_source_names_the_known_ones(command: str, monitor: Run) -> None:
    ended = await monitor(command, "bolnaa", "x")

    assert ended.code == 1
    assert 'there is no source "bolnaa"; did you mean "bolna"?' in ended.err
    assert "There are: bolna, vogent" in ended.err


@pytest.mark.usefixtures("in_force")
async def test_a_reader_that_has_seen_enough_ends_it_quietly(monitor: Run) -> None:
    ids = "\n".join(f"batch-{number}" for number in range(600))
    await monitor("add", "bolna", "-", stdin=ids)
    child = await asyncio.create_subprocess_shell(
        f"set -o pipefail; '{sys.executable}' -m monitor list -o json | head -1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        executable="/bin/bash",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    out, err = await child.communicate()

    assert (out, err) == (b"[\n", b"")


@pytest.mark.usefixtures("in_force")
async def test_a_full_disk_is_no_traceback(monitor: Run) -> None:
    await monitor("add", "bolna", "x")
    child = await asyncio.create_subprocess_shell(
        f"'{sys.executable}' -m monitor list > /dev/full",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    _, err = await child.communicate()

    assert (child.returncode, err) == (1, b"No space left on device\n")


@pytest.mark.usefixtures("in_force")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
async def test_a_standard_stream_that_is_closed_leads_nowhere(closed: str, monitor: Run) -> None:
    """Its number must not become the database's: what is printed would be written there."""
    child = await asyncio.create_subprocess_shell(
        f"'{sys.executable}' -m monitor add bolna x {closed}",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    _, err = await child.communicate()

    assert (child.returncode, b"Traceback" in err) == (0, False)
    assert "bolna" in (await monitor("list")).out


@pytest.mark.usefixtures("in_force")
async def test_a_terminal_that_is_not_utf_8_gets_all_the_same(process: Run, monitor: Run) -> None:
    await monitor("add", "bolna", "x", "--name", "Köln 東京.csv")

    ended = await process("list", COLUMNS="100", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert ended.code == 0
    assert "K?ln ??.csv" in ended.out


@pytest.mark.parametrize("command", ["show", "poll", "delivery", "explain"])
async def test_a_page_is_one_document_and_no_list(command: str, monitor: Run) -> None:
    page, listing = await monitor(command, "--help"), await monitor("list", "--help")

    assert "json: one document, its times in UTC." in " ".join(page.out.split())
    assert "array" not in page.out
    assert "one array with everything that matches" in " ".join(listing.out.split())


@pytest.mark.parametrize("command", ["show", "wait", "poll", "remove"])
@pytest.mark.usefixtures("in_force", "sqlite_url")
async def test_the_beginning_of_an_id_names_a_batch_or_the_candidates(
    command: str, monitor: Run, bolna: SimulatedBolna
) -> None:
    ids = ["3c90c3cc0d444b5088888dd25736052a", "3c90ffff0d444b5088888dd25736052a"]
    for id_ in ids:
        bolna.put(id_, bolna_document(id_, status="executed"))
    await monitor("add", "bolna", *ids)
    more = ["--timeout", "10ms"] if command == "wait" else []

    several = await monitor(command, "bolna", "3c90", *more)
    one = await monitor(command, "bolna", "3c90c", *more)

    assert several.code == 1
    assert several.err == f"3c90 begins the ids of several batches of bolna: {', '.join(ids)}\n"
    assert one.code == (3 if command == "wait" else 0)
    assert command == "wait" or ids[0] in one.out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("monitor sta", ["status"]),
        ("monitor list --tr", ["--trouble"]),
        ("monitor list -o ", ["table", "wide", "json"]),
        ("monitor show -o ", ["table", "json"]),
        ("monitor show ", ["bolna", "vogent"]),
        ("monitor show b", ["bolna"]),
        ("monitor show --config /nowhere.toml ", []),
        ("monitor test ", ["crm", "ops"]),
        ("monitor deliveries --state d", ["delivered", "dead"]),
        ("monitor wait bolna x --for c", ["completed", "cancelled"]),
    ],
)
@pytest.mark.usefixtures("in_force")
async def test_a_shell_completes_commands_options_words_and_names(
    typed: str, offered: list[str], process: Run
) -> None:
    ended = await process(
        _MONITOR_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(typed.count(" "))
    )

    assert ended.out.split() == offered
    assert ended.err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_each_shell_gets_a_script_for_its_completion(shell: str, process: Run) -> None:
    ended = await process(_MONITOR_COMPLETE=f"source_{shell}")

    assert ended.code == 0
    assert f"_MONITOR_COMPLETE=complete_{shell}" in ended.out
