from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.consumer import Consumer
from tests.engine.rig import Rig

Log = list[MutableMapping[str, Any]]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATABASE_URL", "LISTEN", "LOG_LEVEL", "LOG_FORMAT", "INSTANCE"):
        monkeypatch.delenv(f"MONITOR_{name}", raising=False)


@pytest.fixture
def log() -> Iterator[Log]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def rig(tmp_path: Path, sqlite_url: str, log: Log) -> AsyncIterator[Rig]:
    """Have all parts at hand, on SQLite; nothing runs yet."""
    async with Rig(tmp_path, sqlite_url) as rig:
        yield rig


@pytest.fixture
async def two(tmp_path: Path, sqlite_url: str, log: Log) -> AsyncIterator[Rig]:
    """Have all parts at hand with two receivers, `crm` and `ops`."""
    consumers = {"crm": Consumer(), "ops": Consumer()}
    async with Rig(tmp_path, sqlite_url, consumers=consumers) as rig:
        yield rig


@pytest.fixture
async def any_rig(tmp_path: Path, database_url: str, log: Log) -> AsyncIterator[Rig]:
    """Have all parts at hand, once on SQLite and once on Postgres."""
    async with Rig(tmp_path, database_url) as rig:
        yield rig
