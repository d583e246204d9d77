"""Every planted bug is noticed by the harness that is there for it, and for the right reason."""

import os
from pathlib import Path

import pytest

from tests.faults.figures import FULL, VARIABLE
from tests.patient import HANG
from tests.planted import Bug, all_bugs
from tests.planted.forked import start

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
def test_a_planted_bug_is_caught(bug: Bug, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    environment = {k: v for k, v in os.environ.items() if k != VARIABLE} | {**bug.environment}
    if bug.slow:
        environment[VARIABLE] = "timed"
    if bug.on_postgres:
        environment["MONITOR_TEST_POSTGRES_URL"] = request.getfixturevalue("empty_postgres_url")
    output = tmp_path / "output"
    words = ["-x", "-p", "no:cacheprovider", "--tb=short", f"--basetemp={tmp_path}/run", bug.test]
    run = start(bug, words, environment, output)
    try:
        run.join(5 * HANG)
    finally:
        run.kill()
        run.join()

    assert run.exitcode == 1, output.read_text()
    assert bug.says in output.read_text()
