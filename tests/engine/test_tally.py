from typing import Any

import pytest

from monitor.core.errors import FailureKind, PollError
from monitor.core.found import Found
from monitor.engine.tally import Tally, Told
from tests.engine.conftest import Log

GONE = PollError(FailureKind.NOT_FOUND, 404)
REFUSED = PollError(FailureKind.UNAUTHORIZED, 401)


def tally(*answers: Found | PollError, new: int = 0, skipped: int = 0) -> Tally:
    """Take the answers of a round that nothing cut off."""
    made = Tally(new=new, skipped=skipped)
    for answer in answers:
        made.add(answer)
    made.end()
    return made


def gone(agent: str) -> Found:
    return Found(agent=agent, failure=GONE)


def said(log: Log) -> list[Any]:
    return [(line["event"].removeprefix("discovery."), line.get("agent")) for line in log]


@pytest.fixture
def told() -> Told:
    return Told(source="x")


def test_the_first_whole_round_is_told_whatever_it_brings(told: Told, log: Log) -> None:
    for _ in range(2):
        told.tell_found(tally(Found(), skipped=5))

    (line,) = log
    assert (line["new"], line["seen"], line["skipped"]) == (0, 0, 5)


def test_another_number_left_out_is_told_and_what_is_new_always(told: Told, log: Log) -> None:
    for new, skipped in [(0, 5), (0, 6), (0, 6), (1, 6), (0, 6), (0, 5)]:
        told.tell_found(tally(Found(), new=new, skipped=skipped))

    assert [(line["new"], line["skipped"]) for line in log] == [(0, 5), (0, 6), (1, 6), (0, 5)]


@pytest.mark.parametrize(
    "answers", [(), (REFUSED,), (Found(), REFUSED), (gone("a1"),)], ids=range(4)
)
def test_a_round_that_was_broken_off_or_brought_no_list_says_nothing_of_what_it_left_out(
    told: Told, log: Log, answers: tuple[Any, ...]
) -> None:
    told.tell_found(tally(*answers, skipped=5))

    assert log == []


def test_a_round_that_was_cut_off_tells_what_is_new_alone(told: Told, log: Log) -> None:
    cut = Tally(new=1, skipped=2)
    cut.add(Found())

    told.tell_found(cut)
    told.tell_found(tally(Found(), skipped=2))

    assert [(line["new"], line["skipped"]) for line in log] == [(1, 2), (0, 2)]


def test_an_agent_that_fails_later_is_told_too_and_each_once(told: Told, log: Log) -> None:
    for round_ in (
        tally(gone("a1"), Found(agent="a2")),
        tally(gone("a1"), gone("a2")),
        tally(Found(agent="a1"), gone("a2")),
        tally(Found(agent="a1"), gone("a2")),
    ):
        told.tell_failures(round_)

    assert said(log) == [("failed", "a1"), ("failed", "a2"), ("recovered", "a1")]


def test_an_account_that_fails_says_nothing_of_agents_that_were_not_asked(
    told: Told, log: Log
) -> None:
    for round_ in (tally(gone("a1")), tally(REFUSED), tally(gone("a1"))):
        told.tell_failures(round_)

    assert said(log) == [("failed", "a1"), ("failed", None), ("recovered", None)]
    assert (log[1]["kind"], log[1]["status_code"]) == ("unauthorized", 401)
    assert "agent" not in log[1]
