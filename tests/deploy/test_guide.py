"""What deploy/README.md tells to type for reload, back-up and restore does what it says."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests import postgres, programs
from tests.conftest import Until
from tests.daemon_process import DaemonProcess
from tests.engine.rig import Rig
from tests.patient import HANG
from tests.programs import PIPE, STDOUT

README = (Path(__file__).parent.parent.parent / "deploy" / "README.md").read_text()


def console(section: str) -> list[list[str]]:
    """Return the console blocks of a section, each as its commands."""
    (text,) = re.findall(rf"^## \d+\. {section}\n(.*?)(?=^## )", README, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [[line.removeprefix("# ") for line in block.splitlines()] for block in blocks]


class Host:
    """A machine set up by the guide, as far as this one's user may: other paths, no systemd."""

    def __init__(self, rig: Rig, daemon: DaemonProcess, until: Until) -> None:
        self._rig, self.daemon, self._until = rig, daemon, until

    async def type(self, commands: list[str]) -> None:
        """Run commands in their order; each must succeed."""
        for line in commands:
            for command in line.split(" && "):
                await self._run(command)

    async def _run(self, command: str) -> None:
        match command.removeprefix("runuser -u monitor -- ").split():
            case ["systemctl", "stop", "monitor"]:
                assert await self.daemon.stop() == 0
            case ["systemctl", "start", "monitor"]:
                await self.start()
            case ["systemctl", "reload", "monitor"]:
                self.daemon.tell(signal.SIGHUP)
            case ["systemctl", "status", "monitor"]:
                assert self.daemon.alive
            case ["monitor", *arguments]:
                await self._monitor([self._here(argument) for argument in arguments])
            case _:
                raise AssertionError(f"nobody knows here how to {command!r}")

    async def shell(self, command: str, *, database: str) -> None:
        """Run one of PostgreSQL's own programs, on the test's database instead of `monitor`."""
        line = command.removeprefix("runuser -u postgres -- ").replace(
            " monitor ", f" {shlex.quote(database)} "
        )
        child = await asyncio.create_subprocess_shell(
            f"{shlex.quote(str(postgres.find_binaries()))}/{line}",
            cwd=self._rig.folder,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(child.communicate(), HANG)
        assert child.returncode == 0, f"{line}: {said.decode()}"

    async def start(self) -> None:
        self.daemon.log.unlink(missing_ok=True)
        await self.daemon.start()
        await self._until(self.daemon.started)

    def _here(self, argument: str) -> str:
        for place in ("/etc/monitor/", "/var/lib/monitor/"):
            argument = argument.replace(place, f"{self._rig.folder}/")
        return argument

    async def _monitor(self, arguments: list[str]) -> None:
        child = await programs.start(
            *arguments,
            stdout=PIPE,
            stderr=STDOUT,
            env={**os.environ, "MONITOR_CONFIG": str(self._rig.folder / "config.toml")},
        )
        said, _ = await asyncio.wait_for(child.communicate(), HANG)
        assert child.returncode == 0, f"{shlex.join(arguments)}: {said.decode()}"


@pytest.fixture
async def rig(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Rig]:
    async with Rig(tmp_path, sqlite_url) as rig:
        rig.show("b1", "b2")
        rig.tail = '[[batches]]\nsource = "bolna"\nid = "b1"\n'
        yield rig


@pytest.fixture
async def host(rig: Rig, until: Until) -> AsyncIterator[Host]:
    rig.write()
    daemon = DaemonProcess(rig.folder)
    host = Host(rig, daemon, until)
    await host.start()
    yield host
    await daemon.close()


async def test_a_back_up_brings_back_what_it_held(rig: Rig, host: Host, until: Until) -> None:
    back_up, restore, _postgres = console("Back up and restore")
    await until(lambda: rig.crm.types == ["batch.first_seen"])
    await host.type(back_up)
    rig.show("b1", execution_status={"completed": 7})
    await until(lambda: rig.crm.types[1:] == ["batch.counts_changed"])

    await host.type(restore)

    await until(lambda: rig.crm.types[2:].count("batch.counts_changed") == 1)
    first, again = rig.crm.events[1], rig.crm.events[-1]
    assert again["data"]["sequence"] == first["data"]["sequence"] == 2
    assert again["id"] != first["id"]
    assert (rig.folder / "monitor.db.replaced").exists()


async def test_a_dump_of_postgres_brings_back_what_it_held(
    tmp_path: Path, postgres_url: str, until: Until
) -> None:
    *_, (dump, bring_back) = console("Back up and restore")
    async with Rig(tmp_path, postgres_url) as rig:
        rig.show("b1")
        rig.tail = '[[batches]]\nsource = "bolna"\nid = "b1"\n'
        rig.write()
        host = Host(rig, DaemonProcess(rig.folder), until)
        try:
            await host.start()
            await until(lambda: rig.crm.types == ["batch.first_seen"])
            await host.shell(dump, database=postgres_url)
            rig.show("b1", execution_status={"completed": 7})
            await until(lambda: rig.crm.types[1:] == ["batch.counts_changed"])

            await host.type(["systemctl stop monitor"])
            await host.shell(bring_back, database=postgres_url)
            await host.start()

            # what was not settled yet when it was dumped is sent again
            await until(lambda: rig.crm.types[2:].count("batch.counts_changed") == 1)
        finally:
            await host.daemon.close()


EVERY_KIND = """
[server]
listen = "127.0.0.1:8470"

[database]
# url = "sqlite:///other.db"
url = "sqlite:///monitor.db"           # beside this file

[sources.bolna-prod]
provider = "bolna"
api_key_env = "BOLNA_API_KEY"          # or a file

[sources.vogent]
provider = "vogent"
api_key_env = "VOGENT_API_KEY"

[sources.acme]
provider = "generic"
url = "https://api.acme.example/batches/{id}"
bearer_env = "ACME_TOKEN"
headers = { "X-Team" = "ops", "X-Key_env" = "ACME_KEY" }
query = { token_env = "ACME_QUERY" }
status = "state"
completed = ["done"]

[sources.acme.discover]
url = "https://api.acme.example/batches"
items = "batches"
id = "id"

[receivers.ops]
kind = "slack"
webhook_url_env = "SLACK_WEBHOOK_URL"

[receivers.crm]
kind = "webhook"
url = "https://crm.example.com/hooks"
secret_env = "CRM_SECRET"

[[routes]]
receiver = "ops"
"""


@pytest.fixture
def every_kind(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(EVERY_KIND)
    return file


def edit(file: Path, section: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Type the `sed` of a section; return what the file said before and after."""
    text = "\n".join(line for block in console(section) for line in block)
    (command,) = re.findall(r"^sed -i (?:.*\\\n)*.*$", text, re.MULTILINE)
    before = tomllib.loads(file.read_text())
    here = command.replace("/etc/monitor/config.toml", shlex.quote(str(file)))
    subprocess.run(["/bin/sh", "-c", here], check=True)  # noqa: S603 (the guide's own)
    return before, tomllib.loads(file.read_text())


def test_a_change_of_the_database_changes_nothing_else(every_kind: Path) -> None:
    before, after = edit(every_kind, "Postgres instead of SQLite")

    assert after.pop("database") == {"url": "postgresql:///monitor?host=/run/postgresql"}
    assert before.pop("database") == {"url": "sqlite:///monitor.db"}
    assert after == before


def test_a_config_for_a_service_differs_by_the_database_and_where_keys_lie(
    every_kind: Path,
) -> None:
    before, after = edit(every_kind, "Config and keys")

    assert after.pop("database") == {"url": "sqlite:////var/lib/monitor/monitor.db"}
    del before["database"]
    assert (
        json.loads(
            re.sub(
                r'"([\w-]+)_env": "(\w+)"',
                r'"\1_file": "/run/credentials/monitor.service/\2"',
                json.dumps(before),
            )
        )
        == after
    )


async def test_a_reload_takes_the_file_and_an_upgrade_backs_it_up(
    rig: Rig, host: Host, until: Until
) -> None:
    (commands,) = console("Reload")
    ((stop, back_up, *_install),) = console("Upgrade")
    rig.tail += '[[batches]]\nsource = "bolna"\nid = "b2"\n'
    rig.write()

    await host.type(commands)

    await until(lambda: rig.crm.of("b2") != [])
    (line,) = host.daemon.lines("config.reloaded")
    assert line["changed"] is True

    await host.type([stop, back_up])

    assert (rig.folder / "before-upgrade.db").exists()
