from typing import Any

import pytest

from monitor.core.discovery import DiscoveryAnswer, Entries, ListEntry, too_large
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.engine.polling import discovery_round
from monitor.engine.polling.discovery_round import DiscoveryLog, DiscoveryRound
from tests.engine.conftest import Log

GONE = PollError(FailureKind.NOT_FOUND, 404)
LEFT_OUT = [DiscoveryAnswer(entries=Entries(number=9, too_old=number)) for number in range(9)]
"""By how many were too old."""
REFUSED = DiscoveryAnswer(failure=PollError(FailureKind.UNAUTHORIZED, 401))


def a_round(*answers: DiscoveryAnswer, new: int = 0) -> DiscoveryRound:
    """Take the answers of a round that nothing cut off."""
    made = DiscoveryRound(new=new)
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
        discovery_log.log_found(a_round(LEFT_OUT[5]))

    (line,) = log
    assert (line["new"], line["seen"], line["skipped"], line["too_old"]) == (0, 0, 5, 5)


def test_another_number_left_out_is_told_and_what_is_new_always(
    discovery_log: DiscoveryLog, log: Log
) -> None:
    for new, skipped in [(0, 5), (0, 6), (0, 6), (1, 6), (0, 6), (0, 5)]:
        discovery_log.log_found(a_round(LEFT_OUT[skipped], new=new))

    assert [(line["new"], line["skipped"]) for line in log] == [(0, 5), (0, 6), (1, 6), (0, 5)]


@pytest.mark.parametrize(
    "answers", [(), (REFUSED,), (LEFT_OUT[5], REFUSED), (gone("a1"),)], ids=range(4)
)
def test_a_round_that_was_broken_off_or_brought_no_list_says_nothing_of_what_it_left_out(
    discovery_log: DiscoveryLog, log: Log, answers: tuple[Any, ...]
) -> None:
    discovery_log.log_found(a_round(*answers))

    assert log == []


def test_a_round_that_was_cut_off_tells_what_is_new_alone(
    discovery_log: DiscoveryLog, log: Log
) -> None:
    cut = DiscoveryRound(new=1)
    cut.add(LEFT_OUT[2])

    discovery_log.log_found(cut)
    discovery_log.log_found(a_round(LEFT_OUT[2]))

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


def test_the_bound_of_a_round_cuts_what_is_beyond_and_fails_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery_round, "FOUND_LIMIT", 4)
    round_ = DiscoveryRound(new=1, seen=1)

    enough = round_.add(DiscoveryAnswer(batches=(ListEntry("b1"), ListEntry("b2")), agent="a1"))
    round_.seen += 2
    more = round_.add(DiscoveryAnswer(batches=(ListEntry("b3"),), agent="a2"))
    round_.end()

    assert (enough.ids, enough.failure, more.ids) == (("b1", "b2"), None, ())
    assert [(agent, str(failure)) for agent, failure in round_.failures.items()] == [
        (None, "too_large: more than 4 batches (200)")
    ]
    assert not round_.whole


def test_what_no_entry_says_is_told_when_it_begins(discovery_log: DiscoveryLog, log: Log) -> None:
    unread = DiscoveryAnswer(entries=Entries(number=2, no_id=2, undated=2))
    dated = DiscoveryAnswer(entries=Entries(number=2, no_id=2, undated=1))

    for round_ in (a_round(unread), a_round(unread), a_round(REFUSED), a_round(unread)):
        discovery_log.log_unread(round_)
    for round_ in (a_round(unread, dated), a_round(unread)):
        discovery_log.log_unread(round_)

    assert [(line["event"], line["log_level"], line["key"]) for line in log] == [
        ("discovery.unread", "warning", key) for key in ("created_at", "id", "created_at")
    ]


def test_a_failure_is_told_with_its_reason_and_page(discovery_log: DiscoveryLog, log: Log) -> None:
    failure = too_large(10_000, "batches")
    failure.page = 3

    discovery_log.log_failures(a_round(DiscoveryAnswer(failure=failure)))

    (line,) = log
    assert (line["kind"], line["reason"], line["page"]) == (
        "too_large",
        "more than 10,000 batches",
        3,
    )
