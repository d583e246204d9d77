"""Every planted bug is noticed by the harness that is there for it, and for the right reason."""

import asyncio
import os
import sys

import pytest

from tests.faults.figures import FULL
from tests.planted import Bug, all_bugs

BUGS = [bug for bug in all_bugs().values() if FULL or not bug.slow]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_a_planted_bug_is_caught(bug: Bug) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MONITOR_FAULTS"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.planted", bug.name, "pytest", "-x", "-p", "no:cacheprovider",
        bug.test, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**environment, **bug.environment},
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 300)

    assert process.returncode == 1, output.decode()
    assert bug.says in output.decode()
