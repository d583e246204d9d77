import io
import json

import pytest

from monitor.simulator.record import ServedAnswer
from tests.simulator import journal as journals
from tests.simulator.journal import Journal

RUNNING = ServedAnswer(1.0, "b1", 200, body=b'{"status": "running"}')
ENDED = ServedAnswer(2.0, "b1", 200, body=b'{"status": "completed"}')
BROKEN = ServedAnswer(3.0, "b1", 500, fault="server_error")


def lines(file: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_only_changes_are_written() -> None:
    file = io.StringIO()
    journal = Journal(file)

    for served in (RUNNING, RUNNING, ENDED, ENDED, BROKEN, ENDED):
        journal.note(served)
    journal.close(violations=[])

    *changes, totals = lines(file)
    assert [(line["at"], line["status_code"], line["fault"]) for line in changes] == [
        (1.0, 200, None),
        (2.0, 200, None),
        (3.0, 500, "server_error"),
        (2.0, 200, None),
    ]
    assert changes[0]["document"] == {"status": "running"}
    assert totals == {"answers": 6, "lines": 4, "violations": []}


def test_each_batch_has_its_own_changes() -> None:
    file = io.StringIO()
    journal = Journal(file)

    for batch in ("b1", "b2", "b1", "b2"):
        journal.note(ServedAnswer(1.0, batch, 200, body=b"{}"))

    assert [line["batch"] for line in lines(file)] == ["b1", "b2"]


def test_a_full_journal_writes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "LINES_LIMIT", 1)
    file = io.StringIO()
    journal = Journal(file)

    for served in (RUNNING, ENDED, BROKEN):
        journal.note(served)
    journal.close(violations=["POST /"])

    assert [line.get("at") for line in lines(file)] == [1.0, None]
    assert lines(file)[-1] == {"answers": 3, "lines": 1, "violations": ["POST /"]}
