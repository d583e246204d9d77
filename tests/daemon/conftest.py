"""What the daemon's tests share: the rig on SQLite, and `monitor run` as a process."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.daemon_process import DaemonProcess
from tests.engine.rig import Rig

MakeProcess = Callable[..., DaemonProcess]
Log = list[MutableMapping[str, Any]]


@pytest.fixture
def log() -> Iterator[Log]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def rig(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Rig]:
    async with Rig(tmp_path, sqlite_url) as rig:
        yield rig


@pytest.fixture
async def any_rig(tmp_path: Path, database_url: str) -> AsyncIterator[Rig]:
    """Run the same on SQLite and on Postgres."""
    async with Rig(tmp_path, database_url) as rig:
        yield rig


@pytest.fixture
async def process() -> AsyncIterator[MakeProcess]:
    """Make processes of a rig's config; whatever still runs at the end is killed."""
    made: list[DaemonProcess] = []

    def make(rig: Rig, environment: Mapping[str, str] | None = None) -> DaemonProcess:
        rig.write()
        made.append(DaemonProcess(rig.folder, environment=environment))
        made[-1].log = rig.folder / f"log {len(made)}"
        return made[-1]

    yield make
    for one in made:
        await one.close()
