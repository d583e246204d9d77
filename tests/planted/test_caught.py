"""Every planted bug is noticed by the harness that is there for it, and for the right reason."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.faults.figures import FULL, VARIABLE
from tests.patient import HANG
from tests.planted import Bug, all_bugs

BUGS = [bug for bug in all_bugs().values() if FULL or not bug.slow]


def test_every_edit_finds_its_place() -> None:
    lost = [
        (bug.name, edit.old)
        for bug in all_bugs().values()
        for edit in bug.edits
        if Path(edit.module.replace(".", "/") + ".py").read_text().count(edit.old) != 1
    ]

    assert lost == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_a_planted_bug_is_caught(bug: Bug) -> None:
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE}
    if bug.slow:
        environment[VARIABLE] = "timed"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.planted", bug.name, "pytest", "-x", "-p", "no:cacheprovider",
        "--tb=short", bug.test, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**environment, **bug.environment},
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 5 * HANG)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert process.returncode == 1, output.decode()
    assert bug.says in output.decode()
