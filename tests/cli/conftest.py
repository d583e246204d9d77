"""The command line as a user meets it: arguments in, exit code and output out."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.core.failure import FailureKind
from monitor.core.source import Health
from monitor.simulator.bolna import SimulatedBolna
from monitor.storage.database import Database
from monitor.storage.instances import touch_instance
from monitor.storage.sources import SourceRecord
from tests import programs
from tests.consumer import SECRET, Consumer
from tests.programs import PIPE
from tests.storage.store import NOW, Store

KEY = "the-api-key"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Awaitable[Ended]]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no variable and no folder of the developer's decide anything."""
    for name in ("CONFIG", "DATABASE_URL", "LISTEN", "LOG_LEVEL", "LOG_FORMAT", "INSTANCE"):
        monkeypatch.delenv(f"MONITOR_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def monitor() -> Run:
    """Run a command in this process, beside the servers of the test."""

    async def run(*arguments: str, stdin: str | bytes | None = None) -> Ended:
        runner = CliRunner()
        result = await asyncio.to_thread(
            runner.invoke, app, list(arguments), input=stdin, prog_name="monitor"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture
def process() -> Run:
    """Run a command as a process of its own."""

    async def run(*arguments: str, stdin: bytes = b"", **environ: str) -> Ended:
        child = await programs.start(
            *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env={**os.environ, **environ}
        )
        out, err = await child.communicate(stdin)
        assert child.returncode is not None
        return Ended(code=child.returncode, out=out.decode(), err=err.decode())

    return run


@pytest.fixture
async def bolna() -> AsyncIterator[SimulatedBolna]:
    async with SimulatedBolna(key=KEY) as api:
        yield api


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    found = Consumer(path="/hook")
    found.text = "ok"
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
def config(tmp_path: Path, bolna: SimulatedBolna, consumer: Consumer) -> Path:
    """A config with a source of each kind of state, and receivers that answer and do not."""
    path = tmp_path / "config.toml"
    path.write_text(f"""
[server]
listen = "127.0.0.1:0"
[polling]
interval = "100ms"
[sources.bolna]
provider = "bolna"
api_key = "{KEY}"
base_url = "{bolna.base_url}"
allow_http = true
allow_private = true
labels = {{ env = "prod" }}
[sources.vogent]
provider = "vogent"
api_key_env = "NOT_SET_ANYWHERE"
[[batches]]
source = "bolna"
id = "declared"
[receivers.crm]
kind = "webhook"
url = "{consumer.url}"
secret = "{SECRET}"
allow_http = true
allow_private = true
[receivers.ops]
kind = "slack"
webhook_url_env = "NOT_SET_EITHER"
[[routes]]
receiver = "crm"
[[routes]]
receiver = "ops"
""")
    return path


@pytest.fixture
def in_force(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the config in force; its database is `monitor.db` beside it, and not made yet."""
    monkeypatch.setenv("MONITOR_CONFIG", str(config))
    return config


@pytest.fixture
def rewrite(in_force: Path) -> Callable[[str], None]:
    """Put another config in force."""

    def write(text: str) -> None:
        in_force.write_text(text)

    return write


both = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
"""Runs a test on either database: where it is the database that answers, by its own SQL."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a fresh database with the newest schema: of SQLite, if not of `both`."""
    postgres = getattr(request, "param", "sqlite") == "postgresql"
    url: str = request.getfixturevalue("postgres_url" if postgres else "sqlite_url")
    return url


@pytest.fixture
def store(database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Work on the database that the commands use."""
    monkeypatch.setenv("MONITOR_DATABASE_URL", database_url)
    return Store(database)


async def fail_source(store: Store, *, blocked_until: datetime | None = None) -> None:
    """Let the account of a registered source refuse its key."""
    source = await store.source()
    health = Health(failing_since=NOW, kind=FailureKind.UNAUTHORIZED, status_code=401)
    record = SourceRecord(row=source.row, version=0, health=health, blocked_until=blocked_until)
    await store.write(sources=[record])


@pytest.fixture
async def daemon(store: Store) -> None:
    """Let a daemon have said that it is alive."""
    await touch_instance(store.database, "one", now=datetime.now(UTC))
