from datetime import UTC, datetime, timedelta

from monitor.core.errors import StorageError
from monitor.engine.outage import Outage
from tests.engine.conftest import Log

START = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)
ERROR = StorageError("the disk is full")


def test_an_outage_is_told_at_its_start_every_ten_minutes_and_at_its_end(log: Log) -> None:
    outage = Outage("writer")

    for minute in range(25):
        outage.began(ERROR, at=START + timedelta(minutes=minute))
    outage.ended()
    outage.ended()

    failing = {
        "event": "database.failing",
        "loop": "writer",
        "reason": "the disk is full",
        "log_level": "error",
    }
    recovered = {"event": "database.recovered", "loop": "writer", "log_level": "info"}
    assert log == [failing] * 3 + [recovered]


def test_without_an_outage_there_is_nothing_to_tell(log: Log) -> None:
    Outage("writer").ended()

    assert log == []
