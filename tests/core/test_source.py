from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.errors import NetworkError, NetworkKind
from monitor.core.failure import FailureKind
from monitor.core.source import Health, HealthChange, Poll, is_answer, judge, recovered

START = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MANY = 1000
READING = None
FORBIDDEN, UNAUTHORIZED = FailureKind.FORBIDDEN, FailureKind.UNAUTHORIZED
SERVER_ERROR, NOT_FOUND = FailureKind.SERVER_ERROR, FailureKind.NOT_FOUND
FAILING, RECOVERED, NOTHING = HealthChange.FAILING, HealthChange.RECOVERED, None

ANSWERS = [
    READING,
    NOT_FOUND,
    FailureKind.REFUSED,
    FailureKind.UNEXPECTED_STATUS,
    FailureKind.TOO_LARGE,
]
KEY_REFUSED = [UNAUTHORIZED, FailureKind.KEY_MISSING]
PASSING = [
    FailureKind.RATE_LIMITED,
    SERVER_ERROR,
    FailureKind.TIMEOUT,
    FailureKind.ADDRESS,
    FailureKind.DNS,
    FailureKind.CONNECT,
    FailureKind.TLS,
    FailureKind.TLS_EXPIRED,
    FailureKind.TLS_WRONG_NAME,
    FailureKind.TLS_OLD_PROTOCOL,
    FailureKind.TLS_PLAIN_HTTP,
    FailureKind.TLS_CLIENT_CERTIFICATE,
    FailureKind.TLS_HANDSHAKE,
    FailureKind.DISCONNECTED,
    FailureKind.PROTOCOL,
    FailureKind.ENCODING,
    FailureKind.INVALID_BODY,
    FailureKind.EXPRESSION,
    FailureKind.REDIRECT,
]
OURS = [FailureKind.DESCRIPTORS, FailureKind.ROOM]


class Playing:
    """Play polls of one account, by default of another batch each time, a second apart."""

    def __init__(self, *, watched: int = MANY) -> None:
        self.health = Health()
        self.watched = watched
        self.at = START - SECOND
        self.polls = 0

    def poll(
        self,
        kind: FailureKind | None = READING,
        *,
        batch: int | None = None,
        after: timedelta = SECOND,
        status_code: int | None = None,
        unreachable: bool = False,
        put_off: bool = False,
    ) -> HealthChange | None:
        self.at += after
        self.polls += 1
        poll = Poll(
            batch_row=self.polls if batch is None else batch,
            kind=kind,
            status_code=status_code,
            unreachable=unreachable,
            put_off=put_off,
        )
        self.health, turn = judge(self.health, poll, watched=self.watched, at=self.at)
        return turn


@pytest.fixture
def account() -> Playing:
    return Playing()


def test_every_way_in_which_a_poll_can_fail_is_judged() -> None:
    assert {*ANSWERS, *KEY_REFUSED, *PASSING, *OURS, FORBIDDEN} == {READING, *FailureKind}


@pytest.mark.parametrize("kind", list(NetworkKind))
def test_a_failed_request_is_a_failed_poll_of_the_same_name(kind: NetworkKind) -> None:
    assert FailureKind(str(NetworkError(kind))) in PASSING + OURS + ANSWERS


@pytest.mark.parametrize("kind", OURS)
def test_what_keeps_us_from_asking_says_nothing_of_the_account(
    account: Playing, kind: FailureKind
) -> None:
    account.poll(SERVER_ERROR, put_off=True)
    before = account.health

    turns = [account.poll(kind, after=MINUTE) for _ in range(100)]

    assert (set(turns), account.health) == ({NOTHING}, before)


# 401


@pytest.mark.parametrize("kind", KEY_REFUSED)
def test_a_401_or_a_missing_key_fails_the_account_at_once(
    account: Playing, kind: FailureKind
) -> None:
    account.poll()

    assert account.poll(kind, status_code=401) is FAILING
    assert account.health.failing_since == account.at
    assert (account.health.kind, account.health.status_code) == (kind, 401)


def test_an_account_fails_once(account: Playing) -> None:
    turns = [account.poll(UNAUTHORIZED) for _ in range(10)]

    assert turns == [FAILING] + [NOTHING] * 9
    assert account.health.failing_since == START


# 403


def test_three_403s_in_a_row_fail_the_account(account: Playing) -> None:
    turns = [account.poll(FORBIDDEN, status_code=403) for _ in range(3)]

    assert turns == [NOTHING, NOTHING, FAILING]
    assert account.health.failing_since == START
    assert (account.health.kind, account.health.status_code) == (FORBIDDEN, 403)


@pytest.mark.parametrize("batches", [(1, 1, 2), (1, 2, 1), (1, 2, 3)])
def test_it_does_not_matter_whose_403s_they_are(account: Playing, batches: tuple[int, ...]) -> None:
    turns = [account.poll(FORBIDDEN, batch=batch) for batch in batches]

    assert turns == [NOTHING, NOTHING, FAILING]


@pytest.mark.parametrize("kind", [*ANSWERS, *PASSING])
def test_anything_else_in_between_breaks_the_row_of_403s(
    account: Playing, kind: FailureKind | None
) -> None:
    account.poll(FORBIDDEN)
    account.poll(FORBIDDEN)
    account.poll(kind)

    assert account.poll(FORBIDDEN) is NOTHING
    assert account.poll(FORBIDDEN) is NOTHING
    assert account.poll(FORBIDDEN) is FAILING


def test_with_one_batch_one_403_fails_the_account() -> None:
    assert Playing(watched=1).poll(FORBIDDEN) is FAILING


def test_with_two_batches_a_403_of_each_fails_the_account() -> None:
    account = Playing(watched=2)

    assert account.poll(FORBIDDEN, batch=1) is NOTHING
    assert account.poll(FORBIDDEN, batch=2) is FAILING


@pytest.mark.parametrize("watched", [2, MANY])
def test_403s_of_one_batch_alone_raise_a_suspicion_that_another_one_settles(watched: int) -> None:
    account = Playing(watched=watched)

    turns = [account.poll(FORBIDDEN, batch=1) for _ in range(3)]

    assert turns == [NOTHING] * 3
    assert account.health.suspected
    assert account.poll(FORBIDDEN, batch=2) is FAILING
    assert not account.health.suspected


def test_a_suspicion_ends_when_another_batch_is_answered(account: Playing) -> None:
    for _ in range(3):
        account.poll(FORBIDDEN, batch=1)

    assert account.poll(batch=2) is NOTHING
    assert account.health.clean


def test_passing_failures_of_one_batch_alone_raise_a_suspicion_too(account: Playing) -> None:
    turns = [account.poll(SERVER_ERROR, batch=1, after=30 * SECOND) for _ in range(5)]

    assert turns == [NOTHING] * 5
    assert account.health.suspected
    assert account.poll(SERVER_ERROR, batch=2) is FAILING


def test_a_suspicion_that_only_an_unreachable_batch_could_confirm_starts_anew(
    account: Playing,
) -> None:
    for _ in range(5):
        account.poll(SERVER_ERROR, batch=1, after=30 * SECOND)

    assert account.poll(SERVER_ERROR, batch=2, unreachable=True) is NOTHING
    assert account.health.clean


def test_the_only_batch_fails_its_account_even_when_it_is_unreachable() -> None:
    account = Playing(watched=1)

    turns = [
        account.poll(SERVER_ERROR, batch=1, after=30 * SECOND, unreachable=True) for _ in range(5)
    ]

    assert turns == [NOTHING] * 4 + [FAILING]


def test_each_row_of_403s_has_its_number(account: Playing) -> None:
    account.poll(FORBIDDEN)
    account.poll(FORBIDDEN)
    assert account.health.streak_number == 1
    account.poll()
    account.poll(FORBIDDEN)
    assert account.health.streak_number == 2
    assert account.health.failed_streak == 0

    account.poll(FORBIDDEN)
    account.poll(FORBIDDEN)

    assert account.health.failed_streak == 2
    account.poll()
    assert account.health.failed_streak == 2


# passing failures


@pytest.mark.parametrize("kind", PASSING)
def test_two_minutes_of_nothing_but_passing_failures_fail_the_account(
    account: Playing, kind: FailureKind
) -> None:
    turns = [account.poll(kind, after=30 * SECOND, status_code=503) for _ in range(5)]

    assert turns == [NOTHING] * 4 + [FAILING]
    assert account.health.failing_since == START + 29 * SECOND
    assert (account.health.kind, account.health.status_code) == (kind, 503)


def test_the_kinds_of_passing_failures_may_be_mixed(account: Playing) -> None:
    turns = [account.poll(kind, after=30 * SECOND) for kind in PASSING[:5]]

    assert turns[-1] is FAILING
    assert account.health.kind is PASSING[4]


def test_less_than_two_minutes_of_them_do_not(account: Playing) -> None:
    turns = [account.poll(SERVER_ERROR) for _ in range(120)]

    assert turns == [NOTHING] * 120
    assert account.poll(SERVER_ERROR) is FAILING


def test_fewer_than_5_of_them_do_not(account: Playing) -> None:
    turns = [account.poll(SERVER_ERROR, after=10 * MINUTE) for _ in range(4)]

    assert turns == [NOTHING] * 4
    assert account.poll(SERVER_ERROR) is FAILING


@pytest.mark.parametrize("kind", [*ANSWERS, FORBIDDEN])
def test_anything_else_in_between_starts_the_two_minutes_anew(
    account: Playing, kind: FailureKind | None
) -> None:
    for _ in range(4):
        account.poll(SERVER_ERROR, after=30 * SECOND)
    account.poll(kind)

    turns = [account.poll(SERVER_ERROR, after=30 * SECOND) for _ in range(5)]

    assert turns == [NOTHING] * 4 + [FAILING]


def test_passing_failures_of_an_unreachable_batch_say_nothing_of_the_account(
    account: Playing,
) -> None:
    turns = [account.poll(SERVER_ERROR, after=MINUTE, unreachable=True) for _ in range(20)]

    assert turns == [NOTHING] * 20
    assert account.health == Health()


# its end


def test_polls_that_put_us_off_are_counted_in_a_row(account: Playing) -> None:
    counted = []
    for put_off in (True, True, False, True, True, True):
        account.poll(SERVER_ERROR, put_off=put_off)
        counted.append(account.health.put_off)
    account.poll(READING)

    assert counted == [1, 2, 0, 1, 2, 3]
    assert account.health == replace(Health(), streak_number=account.health.streak_number)


def fail(account: Playing, kind: FailureKind) -> None:
    while account.poll(kind, after=MINUTE) is not FAILING:
        pass


@pytest.mark.parametrize("cause", [UNAUTHORIZED, FORBIDDEN, SERVER_ERROR])
@pytest.mark.parametrize("answer", ANSWERS)
def test_any_other_answer_ends_it_404_included(
    account: Playing, cause: FailureKind, answer: FailureKind | None
) -> None:
    fail(account, cause)

    assert account.poll(answer) is RECOVERED
    assert account.health.clean
    assert (account.health.kind, account.health.status_code) == (None, None)


@pytest.mark.parametrize("cause", [UNAUTHORIZED, FORBIDDEN, SERVER_ERROR])
@pytest.mark.parametrize("other", [*KEY_REFUSED, *PASSING, FORBIDDEN])
@pytest.mark.parametrize("unreachable", [False, True])
def test_no_failure_of_the_account_ends_it(
    account: Playing, cause: FailureKind, other: FailureKind, unreachable: bool
) -> None:
    fail(account, cause)
    since = account.health.failing_since

    turns = [account.poll(other, after=MINUTE, unreachable=unreachable) for _ in range(10)]

    assert turns == [NOTHING] * 10
    assert account.health.failing_since == since


def test_it_can_fail_again_after_its_end(account: Playing) -> None:
    fail(account, FORBIDDEN)
    account.poll()

    turns = [account.poll(FORBIDDEN) for _ in range(3)]

    assert turns == [NOTHING, NOTHING, FAILING]


def test_an_answer_of_a_healthy_account_changes_nothing(account: Playing) -> None:
    before = account.health

    assert account.poll(NOT_FOUND) is NOTHING
    assert account.health is before


@pytest.mark.parametrize("kind", [READING, *FailureKind])
def test_a_poll_proves_that_the_account_works_or_speaks_against_it(
    kind: FailureKind | None,
) -> None:
    assert is_answer(kind) is (kind in ANSWERS)


@settings(max_examples=50)
@given(
    polls=st.lists(
        st.tuples(
            st.sampled_from([READING, *FailureKind]),
            st.integers(1, 4),
            st.sampled_from([SECOND, 30 * SECOND, MINUTE]),
        ),
        max_size=40,
    ),
    watched=st.integers(1, 5),
)
def test_failing_and_recovered_take_turns(
    polls: list[tuple[FailureKind | None, int, timedelta]], watched: int
) -> None:
    account = Playing(watched=watched)

    turns = [account.poll(kind, batch=batch, after=after) for kind, batch, after in polls]

    told = [turn for turn in turns if turn is not NOTHING]
    assert told == [FAILING, RECOVERED] * (len(told) // 2) + [FAILING] * (len(told) % 2)
    assert (account.health.failing_since is not None) is (told[-1:] == [FAILING])


def test_an_account_that_recovers_begins_with_a_clean_slate(account: Playing) -> None:
    for _ in range(5):
        account.poll(SERVER_ERROR, after=MINUTE)
    assert account.health.failing_since is not None

    health = recovered(account.health, account.at)

    assert health.clean
    assert (health.suspected, health.recovered_at) == (False, account.at)
