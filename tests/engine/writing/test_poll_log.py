from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.batch import Batch, Knowledge, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.core.pacing import Pace
from monitor.core.source import Health, Source, StreakKind
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.poll_log import PollLog
from tests.engine.conftest import Log

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIMEOUT = PollError(FailureKind.TIMEOUT)
NOT_FOUND = PollError(FailureKind.NOT_FOUND, 404)


class NoProvider:
    extra_requests = 0
    finder = None

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


def source(health: Health | None = None) -> SourceAtWork:
    pace = Pace(
        interval=MINUTE,
        idle_interval=MINUTE,
        settled_interval=MINUTE,
        forget_after=MINUTE,
        limits=Limits(stall_after=MINUTE, overdue_after=MINUTE, settle_after=MINUTE),
    )
    return SourceAtWork(
        about=Source(row=1, name="bolna", provider="bolna", key="key"),
        provider=NoProvider(),
        pace=pace,
        rate=1.0,
        health=health or Health(),
    )


def watch(name: str = "b1", row: int = 1) -> Watch:
    return Watch(batch=Batch(row=row, source="bolna", id=name, key="key"))


def names(log: Log) -> list[str]:
    return [line["event"] for line in log]


def in_row(polls: int) -> Health:
    return Health(streak_kind=StreakKind.PASSING, streak_polls=polls)


def test_a_batchs_failing_polls_are_told_first_every_ten_minutes_and_at_their_end(
    log: Log,
) -> None:
    trouble = PollLog()
    for minute in range(25):
        at = NOW + minute * MINUTE
        trouble.failed(source(), watch(), NOT_FOUND, at + MINUTE, at=at)
    trouble.succeeded(source(), watch())
    trouble.succeeded(source(), watch())

    assert names(log) == ["poll.failing"] * 3 + ["poll.recovered"]
    assert log[0] == {
        "event": "poll.failing",
        "log_level": "warning",
        "source": "bolna",
        "batch": "b1",
        "kind": "not_found",
        "status_code": 404,
        "next_try": "2026-01-29T08:32:00.000Z",
    }


def test_an_expression_that_does_not_fit_is_named(log: Log) -> None:
    failure = PollError(FailureKind.EXPRESSION, 200, expression="counts")

    PollLog().failed(source(), watch(), failure, None, at=NOW)

    assert (log[0]["kind"], log[0]["expression"]) == ("expression", "counts")


def test_a_poll_that_will_not_be_repeated_says_so(log: Log) -> None:
    PollLog().failed(source(), watch(), NOT_FOUND, None, at=NOW)

    assert log[0]["next_try"] is None


def test_of_many_batches_that_fail_by_the_accounts_fault_only_the_first_is_told(log: Log) -> None:
    trouble = PollLog()

    for number in range(1, 20):
        trouble.failed(source(in_row(number)), watch(f"b{number}", number), TIMEOUT, NOW, at=NOW)

    assert names(log) == ["poll.failing"]


@pytest.mark.parametrize("kind", [FailureKind.UNAUTHORIZED, FailureKind.TIMEOUT])
def test_what_the_account_as_a_whole_fails_by_is_not_told_of_a_batch(
    log: Log, kind: FailureKind
) -> None:
    failing = replace(in_row(1), failing_since=NOW)

    PollLog().failed(source(failing), watch(), PollError(kind), NOW, at=NOW)

    assert log == []


def test_a_failing_account_is_told_at_once_every_ten_minutes_and_at_its_end(log: Log) -> None:
    trouble = PollLog()
    bad = source(Health(failing_since=NOW, kind=FailureKind.UNAUTHORIZED, status_code=401))
    bad.blocked_until = NOW + MINUTE

    for minute in range(25):
        trouble.remind(bad, at=NOW + minute * MINUTE)
    trouble.recovered(source())
    trouble.remind(source(), at=NOW)
    trouble.remind(bad, at=NOW + 26 * MINUTE)

    assert names(log) == ["source.failing"] * 3 + ["source.recovered", "source.failing"]
    assert log[0] == {
        "event": "source.failing",
        "log_level": "warning",
        "source": "bolna",
        "kind": "unauthorized",
        "status_code": 401,
        "since": "2026-01-29T08:31:00.000Z",
        "next_try": "2026-01-29T08:32:00.000Z",
    }


def test_an_unknown_call_status_is_told_once_per_word_and_source(log: Log) -> None:
    trouble = PollLog()

    for words in (("odd",), ("odd", "new"), ("new",)):
        trouble.unknown_words(source(), words)

    assert [line["word"] for line in log] == ["odd", "new"]


def test_a_provider_that_invents_words_without_end_fills_no_memory(log: Log) -> None:
    trouble = PollLog()

    trouble.unknown_words(source(), tuple(f"word{n}" for n in range(5000)))

    assert len(log) == 1000


def test_calls_that_cannot_be_counted_are_told_once_per_reason_and_source(log: Log) -> None:
    trouble = PollLog()

    for reason in (None, FailureKind.NOT_FOUND, FailureKind.NOT_FOUND, FailureKind.FORBIDDEN):
        trouble.uncounted(source(), reason)

    assert [line["kind"] for line in log] == ["not_found", "forbidden"]
    assert {line["event"] for line in log} == {"counts.unread"}


def test_a_want_of_descriptors_is_told_once_whoever_was_to_be_asked(log: Log) -> None:
    trouble = PollLog()

    for minute in range(12):
        for row in range(3):
            failure, at = PollError(FailureKind.DESCRIPTORS), NOW + minute * MINUTE
            trouble.failed(source(), watch(f"b{row}", row), failure, at, at=at)

    assert names(log) == ["descriptors.exhausted"] * 2
    assert log[0]["limit"] > 0
