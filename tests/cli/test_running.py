import asyncio
import os
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.config.starter import recipes
from monitor.storage.servers.lock import hold_file
from tests import programs
from tests.cli.conftest import Run
from tests.conftest import Until
from tests.patient import HANG


async def test_init_writes_a_config_that_passes_and_only_its_owner_reads(
    monitor: Run, tmp_path: Path
) -> None:
    written = await monitor("init")
    checked = await monitor("check-config")

    file = tmp_path / "config.toml"
    assert written.code == 0
    assert "wrote config.toml" in written.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "whsec_" in file.read_text()
    assert checked.code == 0
    assert checked.out.startswith("Checking 'config.toml'  SUCCESS\n  warning: ")


async def test_init_says_what_comes_next_as_this_shell_takes_it(
    monitor: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = await monitor("init")
    elsewhere = await monitor("init", "mine.toml", "-p", "bolna", "--discover")
    monkeypatch.setattr(sys, "argv", ["bin/monitor"])
    off_the_path = await monitor("init", "its own.toml", "--slack")

    both = "`export BOLNA_API_KEY=... SLACK_WEBHOOK_URL=...`, then "
    assert usual.out.splitlines()[-1] == f"next: {both}`monitor check-config`"
    assert elsewhere.out.splitlines() == [
        "wrote mine.toml, readable by you alone",
        "next: `export BOLNA_API_KEY=...`, then `monitor check-config --config mine.toml`",
    ]
    assert off_the_path.out.splitlines()[-1] == (
        "next: `export SLACK_WEBHOOK_URL=...`, then"
        " `bin/monitor check-config --config 'its own.toml'`"
    )


async def test_a_program_that_is_a_module_is_called_as_one(process: Run, tmp_path: Path) -> None:
    ended = await process("init")

    assert f"`{sys.executable} -m monitor check-config`" in ended.out


async def test_init_names_what_only_its_reader_knows(monitor: Run) -> None:
    made_up = await monitor("init", "a.toml", "--provider", "generic", "--webhook")
    to_put_in = await monitor("init", "b.toml", "--provider", "bedrock")

    assert "sources.acme is made up: put an API of yours in its place\n" in made_up.out
    assert "the url of receivers.crm is made up: put your consumer's in its place" in made_up.out
    assert "put yours in place of REGION in its URLs\n" in to_put_in.out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--discover"], "needs --provider"),
        (["--provider", "bolnaa"], "'bolnaa' is not one of bolna, vogent, generic, anthropic"),
        (["--provider", "sinch", "--discover"], "sinch has no list to discover batches from"),
    ],
)
async def test_init_refuses_what_it_cannot_write(
    options: list[str], reason: str, monitor: Run, tmp_path: Path
) -> None:
    ended = await monitor("init", *options)

    assert ended.code == 2
    assert reason in " ".join(ended.err.split())
    assert os.listdir(tmp_path) == []  # noqa: PTH208  async


async def test_the_help_of_init_names_every_recipe(monitor: Run) -> None:
    shown = "".join((await monitor("init", "--help")).out.split())

    assert f"byarecipe:{','.join(recipes())}." in shown


async def test_init_never_overwrites(monitor: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("# mine")

    ended = await monitor("init", str(file))

    assert ended.code == 1
    assert "exists already" in ended.err
    assert file.read_text() == "# mine"


async def test_check_config_names_every_mistake_of_every_file(monitor: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("")
    bad.write_text('[monitor]\nlog_level = "loud"\n[polling]\nintervall = "3s"\n')

    ended = await monitor("check-config", str(good), str(bad))

    good_lines, bad_lines = ended.out.split(f"Checking '{bad}'")
    assert ended.code == 1
    assert good_lines.startswith(f"Checking '{good}'  SUCCESS\n")
    assert bad_lines.splitlines()[0] == "  FAILED"
    assert [line.strip().split(": ")[0] for line in bad_lines.splitlines()[1:]] == [
        f"{bad}:2",
        f"{bad}:4",
    ]


async def test_check_config_without_a_path_checks_the_one_in_force(
    monitor: Run, in_force: Path
) -> None:
    ended = await monitor("check-config")

    assert ended.code == 0
    assert ended.out.splitlines()[0] == f"Checking '{in_force}'  SUCCESS"
    assert "  warning: sources.vogent.api_key: the environment variable" in ended.out


async def test_check_config_takes_the_config_option_too(monitor: Run, config: Path) -> None:
    ended = await monitor("check-config", "-c", str(config))

    assert ended.out.startswith(f"Checking '{config}'  SUCCESS")


@pytest.mark.parametrize(
    "command", [("check-config",), ("migrate",), ("list",), ("add", "bolna", "x")]
)
async def test_postgres_without_its_driver_is_one_line_that_says_what_to_install(
    command: tuple[str, ...],
    monitor: Run,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOT_SET_ANYWHERE", "key")
    monkeypatch.setenv("NOT_SET_EITHER", "https://hooks.slack.com/services/T/B/x")
    monkeypatch.setenv("MONITOR_CONFIG", str(config))
    monkeypatch.setenv("MONITOR_DATABASE_URL", "postgresql://u:hunter2@h/n")
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as where it is not installed

    ended = await monitor(*command)

    said = (ended.out + ended.err).splitlines()
    assert ended.code == 1
    assert len(said) == (2 if command == ("check-config",) else 1)
    assert said[-1].strip() == (
        "database.url: Postgres needs its driver, which cannot be imported here:"
        " pip install 'batch-monitor[postgres]'"
    )


async def test_check_config_refuses_what_run_would(monitor: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[sources.b]\nprovider = "bolna"\napi_key = "k"\nca_file = "none.pem"\n'
        '[receivers.r]\nkind = "slack"\nwebhook_url_env = "X"\nca_file = "config.toml"\n'
    )

    ended = await monitor("check-config", str(file))

    assert ended.code == 1
    assert "sources.b: the CA file" in ended.out
    assert "receivers.r: the CA file" in ended.out


async def test_check_config_without_any_file_says_where_it_looked(monitor: Run) -> None:
    ended = await monitor("check-config")

    assert ended.code == 1
    assert "no config file: there is no config.toml" in ended.err


async def test_check_config_finds_a_bad_database_url_in_a_variable(
    monitor: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB", "mysql://user:password@host/name")
    file = tmp_path / "config.toml"
    file.write_text('[database]\nurl_env = "DB"\n')

    ended = await monitor("check-config", str(file))

    assert ended.code == 1
    assert "FAILED" in ended.out
    assert "password@" not in ended.out


async def test_migrate_makes_the_database_and_is_done_the_second_time(
    monitor: Run, in_force: Path
) -> None:
    first = await monitor("migrate")
    second = await monitor("migrate")

    file = in_force.parent / "monitor.db"
    assert first.out.startswith(f"{file}: made, with schema 0")
    assert second.out.endswith("is the newest already\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("in_force")
async def test_several_migrations_at_once_all_succeed(process: Run) -> None:
    ended = await asyncio.gather(*(process("migrate") for _ in range(2)))

    assert [one.code for one in ended] == [0, 0]
    assert sum("made" in one.out for one in ended) == 1


async def test_migrate_is_refused_while_a_daemon_holds_the_file(
    monitor: Run, in_force: Path
) -> None:
    with hold_file(in_force.parent / "monitor.db"):
        ended = await monitor("migrate")

    assert ended.code == 1
    assert f"another `monitor run` (pid {os.getpid()}) holds" in ended.err


@pytest.mark.usefixtures("in_force")
async def test_migrate_works_on_postgres(
    monitor: Run, empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_DATABASE_URL", empty_postgres_url)

    assert "made, with schema" in (await monitor("migrate")).out
    assert (await monitor("list")).code == 0


@pytest.mark.usefixtures("in_force")
async def test_run_lists_all_missing_secrets(monitor: Run) -> None:
    ended = await monitor("run")

    assert ended.code == 1
    assert [line.split(":")[0] for line in ended.err.splitlines()] == [
        "sources.vogent.api_key",
        "receivers.ops.webhook_url",
    ]


async def test_run_ends_with_0_on_sigterm_and_commands_beside_it_do_no_harm(
    monitor: Run, in_force: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOT_SET_ANYWHERE", "k")
    monkeypatch.setenv("NOT_SET_EITHER", "https://hooks.slack.com/services/x")
    log = in_force.parent / "log"
    with log.open("wb") as out:
        child = await programs.start("run", stdout=out.fileno(), stderr=out.fileno())
    try:
        await until(lambda: "daemon.started" in log.read_text())
        refused = await monitor("migrate")
        for number in range(5):
            assert (await monitor("add", "bolna", f"added-{number}")).code == 0
            assert (await monitor("list")).code == 0

        async def all_polled() -> bool:
            batches = (await monitor("list", "-o", "json")).json
            return all(batch["last_error"] for batch in batches) and len(batches) == 6

        await until(all_polled, what="the daemon reads what was added")
    finally:
        child.send_signal(signal.SIGTERM)
        code = await child.wait()

    assert code == 0
    assert refused.code == 1
    assert "malformed" not in log.read_text()
    listed = (await monitor("list")).out
    assert "never read: 404, wrong id, key or account?" in listed


async def test_init_says_that_a_folder_is_missing(monitor: Run, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "config.toml"

    ended = await monitor("init", str(path))

    assert ended.code == 1
    assert ended.err == (f"{path}: there is no folder {path.parent}; make it first (mkdir -p)\n")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_start_that_cannot_even_say_why_it_fails_ends_at_once(
    tmp_path: Path, until: Until
) -> None:
    """Its error goes to a terminal that is paused, or to a collector that hangs."""
    (tmp_path / "config.toml").write_text("nonsense = 1\n" * 3000)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", "run", "-c", str(tmp_path / "config.toml")),
        stdout=writing,
        stderr=writing,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": ""},
    )
    waits = Path(f"/proc/{child.pid}/wchan")
    await until(lambda: "pipe" in waits.read_text())

    child.terminate()

    assert await asyncio.wait_for(child.wait(), HANG) == 0
    os.close(reading)
    os.close(writing)
