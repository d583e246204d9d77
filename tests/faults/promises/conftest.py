"""The promises are there where nothing else runs: in `make faults`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.rig import Rig
from tests.faults.figures import TIMED

collect_ignore = [] if TIMED else ["test_promises.py"]


@pytest.fixture
async def rig(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Rig]:
    """Have simulated providers, a consumer and a config on SQLite."""
    async with Rig(tmp_path, sqlite_url) as rig:
        yield rig
