from typing import Any

import pytest

from monitor.core.discovery import DiscoveryAnswer
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.engine.polling.discovery_round import DiscoveryLog, DiscoveryRound
from tests.engine.conftest import Log

GONE = PollError(FailureKind.NOT_FOUND, 404)
REFUSED = DiscoveryAnswer(failure=PollError(FailureKind.UNAUTHORIZED, 401))


def a_round(*answers: DiscoveryAnswer, new: int = 0, skipped: int = 0) -> DiscoveryRound:
    """Take the answers of a round that nothing cut off."""
    made = DiscoveryRound(new=new, skipped=skipped)
    for answer in answers:
        made.add(answer)
    made.end()
    return made


def gone(agent: str) -> DiscoveryAnswer:
    return DiscoveryAnswer(agent=agent, failure=GONE)


def said(log: Log) -> list[Any]:
    return [(line["event"].removeprefix("discovery."), line.get("agent")) for line in log]


@pytest.fixture
def discovery_log() -> DiscoveryLog:
    return DiscoveryLog(source="x")


def test_the_first_whole_round_is_told_whatever_it_brings(
    discovery_log: DiscoveryLog, log: Log
) -> None:
    for _ in range(2):
        discovery_log.log_found(a_round(DiscoveryAnswer(), skipped=5))

    (line,) = log
    assert (line["new"], line["seen"], line["skipped"]) == (0, 0, 5)


def test_another_number_left_out_is_told_and_what_is_new_always(
    discovery_log: DiscoveryLog, log: Log
) -> None:
    for new, skipped in [(0, 5), (0, 6), (0, 6), (1, 6), (0, 6), (0, 5)]:
        discovery_log.log_found(a_round(DiscoveryAnswer(), new=new, skipped=skipped))

    assert [(line["new"], line["skipped"]) for line in log] == [(0, 5), (0, 6), (1, 6), (0, 5)]


@pytest.mark.parametrize(
    "answers", [(), (REFUSED,), (DiscoveryAnswer(), REFUSED), (gone("a1"),)], ids=range(4)
)
def test_a_round_that_was_broken_off_or_brought_no_list_says_nothing_of_what_it_left_out(
    discovery_log: DiscoveryLog, log: Log, answers: tuple[Any, ...]
) -> None:
    discovery_log.log_found(a_round(*answers, skipped=5))

    assert log == []


def test_a_round_that_was_cut_off_tells_what_is_new_alone(
    discovery_log: DiscoveryLog, log: Log
) -> None:
    cut = DiscoveryRound(new=1, skipped=2)
    cut.add(DiscoveryAnswer())

    discovery_log.log_found(cut)
    discovery_log.log_found(a_round(DiscoveryAnswer(), skipped=2))

    assert [(line["new"], line["skipped"]) for line in log] == [(1, 2), (0, 2)]


def test_an_agent_that_fails_later_is_told_too_and_each_once(
    discovery_log: DiscoveryLog, log: Log
) -> None:
    for round_ in (
        a_round(gone("a1"), DiscoveryAnswer(agent="a2")),
        a_round(gone("a1"), gone("a2")),
        a_round(DiscoveryAnswer(agent="a1"), gone("a2")),
        a_round(DiscoveryAnswer(agent="a1"), gone("a2")),
    ):
        discovery_log.log_failures(round_)

    assert said(log) == [("failed", "a1"), ("failed", "a2"), ("recovered", "a1")]


def test_an_account_that_fails_says_nothing_of_agents_that_were_not_asked(
    discovery_log: DiscoveryLog, log: Log
) -> None:
    for round_ in (a_round(gone("a1")), a_round(REFUSED), a_round(gone("a1"))):
        discovery_log.log_failures(round_)

    assert said(log) == [("failed", "a1"), ("failed", None), ("recovered", None)]
    assert (log[1]["kind"], log[1]["status_code"]) == ("unauthorized", 401)
    assert "agent" not in log[1]
