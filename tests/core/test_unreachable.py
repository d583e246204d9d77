from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.core.batch import Failures
from monitor.core.failure import FailureKind
from monitor.core.source import Health, StreakKind

if TYPE_CHECKING:
    from tests.core.conftest import Life

START = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
UNREACHABLE, REACHABLE = "batch.unreachable", "batch.reachable"
FAILING = Health(failing_since=START, kind=FailureKind.SERVER_ERROR, status_code=500)
FORBIDDEN, NOT_FOUND, REFUSED, SERVER_ERROR = (
    FailureKind.FORBIDDEN,
    FailureKind.NOT_FOUND,
    FailureKind.REFUSED,
    FailureKind.SERVER_ERROR,
)
REFUSALS = [(REFUSED, 400), (FORBIDDEN, 403), (NOT_FOUND, 404), (NOT_FOUND, 410), (REFUSED, 422)]
ACCOUNTS_MATTER = {FailureKind.UNAUTHORIZED, FailureKind.KEY_MISSING}
OURS = {FailureKind.DESCRIPTORS, FailureKind.ROOM}
OTHER_REASONS = sorted(set(FailureKind) - {FORBIDDEN, NOT_FOUND, REFUSED} - ACCOUNTS_MATTER - OURS)


def forbidden(polls: int, number: int) -> Health:
    """Return the health of an account whose streak of that number holds so many 403s."""
    return Health(streak_kind=StreakKind.FORBIDDEN, streak_polls=polls, streak_number=number)


# refused


@pytest.mark.parametrize(("kind", "status_code"), REFUSALS)
def test_five_refusals_in_a_row_make_a_batch_unreachable(
    life: "Life", kind: FailureKind, status_code: int
) -> None:
    life.reads()

    told = [life.fails(kind, status_code, after=SECOND) for _ in range(5)]

    assert told == [[], [], [], [], [UNREACHABLE]]


def test_refusals_of_different_kinds_make_one_row(life: "Life") -> None:
    life.reads()

    told = [life.fails(kind, status_code, after=SECOND) for kind, status_code in REFUSALS]

    assert told == [[], [], [], [], [UNREACHABLE]]


def test_a_500_in_between_breaks_the_row(life: "Life") -> None:
    life.reads()
    for _ in range(4):
        life.fails(NOT_FOUND, 404, after=SECOND)
    life.fails(SERVER_ERROR, 500, after=SECOND)

    told = [life.fails(NOT_FOUND, 404, after=SECOND) for _ in range(5)]

    assert told == [[], [], [], [], [UNREACHABLE]]


def test_a_reading_in_between_breaks_the_row(life: "Life") -> None:
    life.reads()
    for _ in range(4):
        life.fails(NOT_FOUND, 404)

    assert life.reads() == []
    assert [life.fails(NOT_FOUND, 404) for _ in range(5)] == [[], [], [], [], [UNREACHABLE]]


def test_refusals_need_no_other_batch_that_is_answered(life: "Life") -> None:
    life.reads()

    told = [life.fails(NOT_FOUND, 404, answered=False) for _ in range(5)]

    assert told[-1] == [UNREACHABLE]


# another reason


@pytest.mark.parametrize("kind", OTHER_REASONS)
def test_two_minutes_without_a_reading_make_a_batch_unreachable_while_others_are_answered(
    life: "Life", kind: FailureKind
) -> None:
    life.reads()

    told = [life.fails(kind, after=30 * SECOND) for _ in range(5)]

    assert told == [[], [], [], [], [UNREACHABLE]]


def test_less_than_two_minutes_without_a_reading_do_not(life: "Life") -> None:
    life.reads()
    life.fails()

    told = [life.fails(after=10 * SECOND) for _ in range(12)]

    assert told == [*([[]] * 11), [UNREACHABLE]]


def test_fewer_than_5_polls_do_not(life: "Life") -> None:
    life.reads()

    told = [life.fails(after=timedelta(hours=1)) for _ in range(4)]

    assert told == [[]] * 4
    assert life.fails() == [UNREACHABLE]


def test_a_batch_does_not_become_unreachable_while_the_account_answers_nothing(
    life: "Life",
) -> None:
    life.reads()

    told = [life.fails(after=timedelta(minutes=1), answered=False) for _ in range(20)]

    assert told == [[]] * 20


def test_an_answer_from_before_the_first_failure_does_not_count(life: "Life") -> None:
    life.reads()
    first = START + 30 * SECOND

    told = [life.fails(answered_at=first - SECOND) for _ in range(20)]

    assert told == [[]] * 20
    assert life.fails(answered_at=first) == [UNREACHABLE]


def test_failures_of_both_kinds_are_told_as_one_batch_without_a_reading(life: "Life") -> None:
    life.reads()
    for _ in range(2):
        life.fails(NOT_FOUND, 404)

    told = [life.fails() for _ in range(3)]

    assert told == [[], [], [UNREACHABLE]]


# told once, and its end


def test_a_batch_becomes_unreachable_once(life: "Life") -> None:
    life.reads()

    told = [event for _ in range(50) for event in life.fails(NOT_FOUND, 404)]

    assert told == [UNREACHABLE]


def test_the_next_reading_makes_it_reachable(life: "Life") -> None:
    life.reads()
    for _ in range(5):
        life.fails(NOT_FOUND, 404)

    assert life.reads() == [REACHABLE]
    assert life.reads() == []


def test_what_moved_meanwhile_is_told_before_it_is_reachable(life: "Life") -> None:
    life.reads("queued", {"queued": 1})
    for _ in range(5):
        life.fails(NOT_FOUND, 404)

    assert life.reads("running", {"ringing": 1}) == [
        "batch.counts_changed",
        "batch.status_changed",
        REACHABLE,
    ]
    assert life.data(REACHABLE)["previous_status"] == "queued"
    assert life.data(REACHABLE)["previous_observed_at"] == "2026-01-29T08:30:00.000Z"


def test_a_batch_never_read_can_become_unreachable(life: "Life") -> None:
    told = [life.fails(NOT_FOUND, 404) for _ in range(5)]

    assert told[-1] == [UNREACHABLE]
    data = life.data(UNREACHABLE)
    state = {
        name: data[name]
        for name in ("status", "phase", "outcome", "settled", "counts", "scheduled_at")
    }
    assert state == dict.fromkeys(state)
    assert data["progress"] == {"total": None, "finished": None, "open": None, "percent": None}
    assert data["batch"]["name"] is None
    assert data["previous_observed_at"] is None
    assert data["sequence"] == 1


def test_first_seen_of_such_a_batch_comes_before_reachable(life: "Life") -> None:
    for _ in range(5):
        life.fails(NOT_FOUND, 404)

    assert life.reads() == ["batch.first_seen", REACHABLE]
    assert [event.sequence for event in life.events] == [1, 2, 3]


# the event


def test_unreachable_says_why_and_since_when(life: "Life") -> None:
    life.reads("running", {"ringing": 1})
    life.fails(SERVER_ERROR, 500, after=SECOND)
    for _ in range(5):
        life.fails(NOT_FOUND, 404, after=SECOND)

    data = life.data(UNREACHABLE)

    assert data["error"] == {"kind": "not_found", "status_code": 404}
    assert data["since"] == "2026-01-29T08:30:01.000Z"
    assert data["observed_at"] == "2026-01-29T08:30:06.000Z"
    assert data["previous_observed_at"] == "2026-01-29T08:30:00.000Z"


def test_a_failure_without_an_answer_has_no_status_code(life: "Life") -> None:
    life.reads()
    for _ in range(5):
        life.fails(FailureKind.TIMEOUT)

    assert life.data(UNREACHABLE)["error"] == {"kind": "timeout", "status_code": None}


def test_unreachable_carries_the_last_known_state(life: "Life") -> None:
    life.reads("running", {"ringing": 1, "busy": 1}, valid_contacts=2)
    for _ in range(5):
        life.fails(NOT_FOUND, 404)

    data = life.data(UNREACHABLE)

    assert data["status"] == data["previous_status"] == "running"
    assert data["counts"] == data["previous_counts"] == {"ringing": 1, "busy": 1}
    assert data["changes"] == {}
    assert data["progress"] == {"total": 2, "finished": 1, "open": 1, "percent": 50.0}


def test_a_failed_poll_leaves_what_is_known_untouched(life: "Life") -> None:
    life.reads("running", {"ringing": 1})
    known, observed_at = life.known, life.watch.observed_at

    life.fails(FailureKind.INVALID_BODY, 200)

    assert life.known is known
    assert life.watch.observed_at == observed_at
    assert life.watch.last_poll_at == START + 30 * SECOND
    assert life.watch.failures == Failures(
        since=START + 30 * SECOND,
        polls=1,
        counted_since=START + 30 * SECOND,
        kind=FailureKind.INVALID_BODY,
        status_code=200,
    )


def test_a_reading_forgets_the_failures(life: "Life") -> None:
    life.fails(NOT_FOUND, 404)
    life.reads()

    assert life.watch.failures == Failures()


# while the account fails


def test_no_batch_becomes_unreachable_while_its_source_fails(life: "Life") -> None:
    life.reads()
    for _ in range(5):
        life.fails(after=SECOND)

    told = [life.fails(health=FAILING) for _ in range(20)]

    assert told == [[]] * 20


def test_polls_of_a_failing_source_do_not_count_for_the_batch(life: "Life") -> None:
    life.reads()
    for _ in range(20):
        life.fails(FailureKind.UNAUTHORIZED, 401, health=FAILING)

    assert life.watch.failures.polls == 0
    assert [life.fails(NOT_FOUND, 404) for _ in range(5)] == [[], [], [], [], [UNREACHABLE]]


def test_the_last_failure_is_known_even_while_the_source_fails(life: "Life") -> None:
    life.fails(FailureKind.UNAUTHORIZED, 401, health=FAILING)

    assert life.watch.failures == Failures(kind=FailureKind.UNAUTHORIZED, status_code=401)


def test_a_batch_stays_unreachable_while_its_source_fails(life: "Life") -> None:
    life.reads()
    for _ in range(5):
        life.fails(NOT_FOUND, 404)
    life.fails(health=FAILING)

    assert life.fails(NOT_FOUND, 404) == []
    assert life.reads() == [REACHABLE]


# 403


def test_a_403_of_a_row_that_made_the_source_fail_does_not_count(life: "Life") -> None:
    life.reads()
    life.fails(FORBIDDEN, 403, health=forbidden(1, 1))
    life.fails(FORBIDDEN, 403, health=forbidden(2, 1))

    recovered = Health(streak_number=1, failed_streak=1)
    told = [life.fails(NOT_FOUND, 404, health=recovered) for _ in range(5)]

    assert told == [[], [], [], [], [UNREACHABLE]]


def test_refusals_from_before_that_row_still_count(life: "Life") -> None:
    life.reads()
    for _ in range(3):
        life.fails(NOT_FOUND, 404)
    life.fails(FORBIDDEN, 403, health=forbidden(1, 1))

    recovered = Health(streak_number=1, failed_streak=1)

    assert life.fails(NOT_FOUND, 404, health=recovered) == []
    assert life.fails(NOT_FOUND, 404, health=recovered) == [UNREACHABLE]


def test_a_403_of_a_row_that_broke_off_counts(life: "Life") -> None:
    life.reads()
    for row in range(1, 5):
        life.fails(FORBIDDEN, 403, health=forbidden(1, row))

    assert life.fails(FORBIDDEN, 403, health=forbidden(1, 5)) == [UNREACHABLE]


def test_only_the_403s_of_the_row_that_failed_are_taken_back(life: "Life") -> None:
    life.reads()
    life.fails(FORBIDDEN, 403, health=forbidden(1, 1))
    life.fails(FORBIDDEN, 403, health=forbidden(1, 2))

    recovered = Health(streak_number=2, failed_streak=2)
    told = [life.fails(NOT_FOUND, 404, health=recovered) for _ in range(4)]

    assert told == [[], [], [], [UNREACHABLE]]


def test_403s_are_taken_back_once(life: "Life") -> None:
    life.reads()
    life.fails(FORBIDDEN, 403, health=forbidden(1, 1))
    recovered = Health(streak_number=1, failed_streak=1)

    for polls in range(1, 4):
        life.fails(NOT_FOUND, 404, health=recovered)
        assert life.watch.failures.refusals == polls
        assert life.watch.failures.polls == polls


def test_failures_from_before_the_account_recovered_do_not_count(life: "Life") -> None:
    life.reads("running", {"ringing": 1})
    for _ in range(5):
        life.fails(FailureKind.TIMEOUT, answered=False)
    assert life.watch.last_poll_at is not None
    recovered = Health(recovered_at=life.watch.last_poll_at + timedelta(seconds=10))

    told = [life.fails(FailureKind.TIMEOUT, health=recovered) for _ in range(5)]

    assert told == [[], [], [], [], ["batch.unreachable"]]


@pytest.mark.parametrize("kind", sorted(OURS))
def test_what_keeps_us_from_asking_says_nothing_of_the_batch(
    life: "Life", kind: FailureKind
) -> None:
    life.reads()
    life.fails(NOT_FOUND, 404)
    before = life.watch.failures

    told = [life.fails(kind) for _ in range(100)]

    assert (told, life.watch.failures) == ([[]] * 100, before)
