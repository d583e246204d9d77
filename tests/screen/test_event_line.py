import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.text import Text

from monitor.screen.event_line import write_event, write_told
from monitor.storage.events.read import EventView

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)


def event(name: str | None = "customers of January.csv") -> tuple[EventView, Any]:
    document = {
        "id": "evt_AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "type": "batch.counts_changed",
        "source": "/sources/bolna-prod",
        "subject": "3c90c3cc0d444b5088888dd25736052a",
        "data": {
            "batch": {"name": name},
            "changes": {"completed": 5, "ringing": -5, "no-answer": 12},
            "progress": {"percent": 71.4},
        },
    }
    body = json.dumps(document).encode()
    return EventView(id=str(document["id"]), at=NOW, sequence=4, body=body), document


@pytest.mark.parametrize("width", [40, 80, 109, 110, 159, 160, 300])
def test_a_line_fits_the_terminal(width: int) -> None:
    line = write_event(*event(), width=width).plain

    assert len(line) <= width
    assert "\n" not in line


def test_columns_are_aligned_and_cut_where_they_must() -> None:
    lines = [write_event(*event(name), width=84).plain for name in ("Köln.csv", None)]

    assert lines == [
        "2026-01-29 08:31:00 UTC  batch.counts_changed  Köln.csv        71.4%: completed +5,…",
        "2026-01-29 08:31:00 UTC  batch.counts_changed  3c90c3cc0d444…  71.4%: completed +5,…",
    ]


def test_a_wide_line_has_everything() -> None:
    named, nameless = (write_event(*event(name), width=200).plain for name in ("K.csv", None))

    assert named == (
        "2026-01-29 08:31:00 UTC  batch.counts_changed  bolna-prod      K.csv"
        f"{' ' * 33}71.4%: completed +5, ringing -5, no-answer +12{' ' * 23}"
        "evt_AAAAAAAAAAAAAAAAAAAAAAAAAA"
    )
    assert "bolna-prod      3c90c3cc0d444b5088888dd25736052a      71.4%: completed" in nameless


def test_a_line_in_a_pipe_is_whole() -> None:
    assert write_event(*event(), width=None).plain == (
        "2026-01-29 08:31:00 UTC  batch.counts_changed  bolna-prod"
        "  3c90c3cc0d444b5088888dd25736052a  customers of January.csv"
        "  71.4%: completed +5, ringing -5, no-answer +12  evt_AAAAAAAAAAAAAAAAAAAAAAAAAA"
    )


@pytest.mark.parametrize("width", [80, 109, 110, 160])
def test_an_event_as_it_comes_fits_with_what_became_of_it(width: int) -> None:
    line = write_told(*event(), Text("-> ops 12 ms"), width=width).plain

    assert len(line) <= width
    assert line.endswith("  -> ops 12 ms")


def test_what_became_of_an_event_is_never_cut() -> None:
    tail = Text("-> " + "a-receiver 12 ms, " * 9)

    line = write_told(*event("K.csv"), tail, width=80).plain

    assert "  counts_changed  K.csv           71.4%: complete…  -> a-receiver" in line
    assert line.endswith(tail.plain)
