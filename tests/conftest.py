"""What the tests of several rooms share: databases, and waiting without sleeping."""

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from monitor.storage.database import Database
from monitor.storage.schema.version import migrate
from monitor.storage.servers import sqlite
from tests.faults.figures import TIMED
from tests.patient import HANG
from tests.postgres import Postgres, find_memory, run_postgres

Until = Callable[..., Awaitable[None]]
Outage = Callable[[], AbstractAsyncContextManager[None]]

# Who runs the tests in the background has SIGINT ignored, and so would the programs they start
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis times each example and the making of it by the wall clock: no test may depend on that
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")


def pytest_configure(config: pytest.Config) -> None:
    """Put the files of tests that run beside others into memory, as the server's of Postgres are.

    SQLite waits for the disk at each commit, which proves nothing but how fast that is: and that is
    wanted where times are measured, with nothing beside.
    """
    memory = find_memory()
    if memory is not None and config.getoption("numprocesses", None) and not TIMED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)


@pytest.fixture(autouse=True)
def logs_as_they_come() -> Iterator[None]:
    """Leave no test the log of another one, which a reload may have set up for its own output."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run one server for the whole run; none to be had is an error, never a skip."""
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    """Migrate one Postgres database, for others to be copies of."""
    url = postgres.create()
    _migrate(url)
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one SQLite file, for others to be copies of."""
    file = tmp_path_factory.mktemp("migrated") / "monitor.db"
    _migrate(f"sqlite:///{file}")
    return file


def _migrate(url: str) -> None:
    async def run() -> None:
        database = Database(url)
        await migrate(database)
        await database.close()

    asyncio.run(run())


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """Return the URL of a fresh SQLite file with the newest schema."""
    file = tmp_path / "monitor.db"
    shutil.copy(migrated_sqlite, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgres_url(postgres: Postgres, migrated_postgres: str) -> Iterator[str]:
    """Return the URL of a fresh Postgres database with the newest schema."""
    url = postgres.create(migrated_postgres)
    yield url
    postgres.drop(url)


@pytest.fixture
def make_postgres_url(postgres: Postgres, migrated_postgres: str) -> Iterator[Callable[[], str]]:
    """Make fresh Postgres databases with the newest schema, for what goes on side by side."""
    made: list[str] = []

    def make() -> str:
        made.append(postgres.create(migrated_postgres))
        return made[-1]

    yield make
    for url in made:
        postgres.drop(url)


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """Return the URL of a Postgres database without any table."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a fresh database with the newest schema: every test runs on both."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that has no tables yet: every test runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
def impatient_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQLite give up on a locked file after 1 second, not 5.

    Not sooner: a thread that has the lock may wait for its turn on the processor that long.
    """
    pragmas = ("PRAGMA busy_timeout = 1000", *sqlite._PRAGMAS[1:])
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)


@pytest.fixture
def outage(
    request: pytest.FixtureRequest, database_url: str, impatient_sqlite: None
) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Let the database be out of reach for a while: locked, or its server gone."""

    @asynccontextmanager
    async def away() -> AsyncIterator[None]:
        if not database_url.startswith("sqlite"):
            with request.getfixturevalue("postgres").away(database_url):
                yield
            return
        file = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as other:
            while not other.in_transaction:
                with suppress(sqlite3.OperationalError):  # others are at work
                    other.execute("BEGIN EXCLUSIVE")
                await asyncio.sleep(0.001)
            yield

    return away


@pytest.fixture
async def open_database() -> AsyncIterator[Callable[[str], Database]]:
    """Open databases by URL, as other processes would; they are closed at the end."""
    opened: list[Database] = []

    def open_(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_
    for database in opened:
        await database.close()


@pytest.fixture
def database(database_url: str, open_database: Callable[[str], Database]) -> Database:
    """Open a fresh database with the newest schema: every test runs on both."""
    return open_database(database_url)


@pytest.fixture
def until() -> Until:
    """Wait for a condition, plain or awaitable; fail where it never comes true."""

    async def wait(
        condition: Callable[[], bool | Awaitable[bool]], seconds: float = HANG, what: str = ""
    ) -> None:
        end = time.monotonic() + seconds
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
            await asyncio.sleep(0.01)

    return wait
