from typing import Any

import pytest

from monitor.facts.event_summary import summarise
from monitor.facts.examples import example_of


def test_an_example_is_told_as_a_test() -> None:
    document = example_of("batch.failed")
    document["data"]["test"] = True

    assert summarise(document) == "test: failed, 100%"


@pytest.mark.parametrize(
    ("event_type", "told"),
    [
        ("batch.stalled", "no move for 25 min, 71.4%"),
        ("batch.progressing", "after 25 min, 71.4%"),
        ("batch.overdue", "1 h 15 min late"),
    ],
)
def test_what_lasts_too_long_is_told_with_how_long(event_type: str, told: str) -> None:
    document: dict[str, Any] = {
        "type": event_type,
        "time": "2026-01-29T08:30:00.114Z",
        "data": {
            "since": "2026-01-29T08:05:00.000Z",
            "scheduled_at": "2026-01-29T07:15:00.000Z",
            "progress": {"percent": 71.4},
        },
    }

    assert summarise(document) == told
