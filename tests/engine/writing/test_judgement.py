import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.batch import Batch, Knowledge, Outcome, Phase, Reading, Watch
from monitor.core.conditions import Limits
from monitor.core.errors import PollError
from monitor.core.event import Event
from monitor.core.failure import FailureKind
from monitor.core.matcher_text import parse_matchers
from monitor.core.observe import poll_time
from monitor.core.pacing import Pace
from monitor.core.routing import Route
from monitor.core.source import Source
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.judgement import (
    Judgement,
    Observed,
    Result,
    judge_group,
    observe_result,
)
from monitor.storage.batches.claim import Claim
from monitor.storage.sources import SourceRecord

START = datetime(2026, 1, 29, 8, 30, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PACE = Pace(
    interval=30 * SECOND,
    idle_interval=5 * MINUTE,
    settled_interval=60 * MINUTE,
    forget_after=1440 * MINUTE,
    limits=Limits(stall_after=15 * MINUTE, overdue_after=15 * MINUTE, settle_after=15 * MINUTE),
)
FAILING, RECOVERED = "source.failing", "source.recovered"
FIRST, STATUS, COMPLETED = "batch.first_seen", "batch.status_changed", "batch.completed"
UNREACHABLE, REACHABLE = "batch.unreachable", "batch.reachable"

ACTIVE = Reading(status="ACTIVE", phase=Phase.RUNNING)
PAUSED = Reading(status="PAUSED", phase=Phase.PAUSED)
DONE = Reading(
    status="completed", phase=Phase.ENDED, outcome=Outcome.COMPLETED, counts={"completed": 1}
)
UNAUTHORIZED = PollError(FailureKind.UNAUTHORIZED, 401)
FORBIDDEN = PollError(FailureKind.FORBIDDEN, 403)
NOT_FOUND = PollError(FailureKind.NOT_FOUND, 404)
SERVER_ERROR = PollError(FailureKind.SERVER_ERROR, 500)
TIMEOUT = PollError(FailureKind.TIMEOUT)
LIMITED = PollError(FailureKind.RATE_LIMITED, 429, 7 * SECOND)

Brought = Reading | PollError


class Silent:
    """Stand in for a provider: here every answer is given by hand."""

    extra_requests = 0
    finder = None

    async def read(self, batch_id: str, known: Knowledge | None = None) -> Reading:
        raise NotImplementedError

    async def close(self) -> None: ...


def source_of(row: int = 1, **fields: Any) -> SourceAtWork:
    name = f"bolna-{row}"
    source = Source(row=row, name=name, provider="bolna", key=f"key {row}", labels={"env": "prod"})
    given: dict[str, Any] = {"about": source, "provider": Silent(), "pace": PACE, "rate": 10.0}
    return SourceAtWork(**(given | fields))


class Playing:
    """Play polls of one account's batches, by default a second apart."""

    def __init__(self, *, batches: int = 5, routes: Sequence[Route] = ()) -> None:
        self.source = source_of()
        self.routes = routes
        self.now = START - SECOND
        self.watches = {
            row: Watch(batch=Batch(row=row, source="bolna-1", id=f"b{row}", key=f"key {row}"))
            for row in range(batches)
        }
        self.events: list[Event] = []
        self.judgement = Judgement()
        self.written: list[SourceRecord] = []

    def fails(self) -> bool:
        """Tell whether only probes are sent."""
        return self.source.health.failing_since is not None

    def poll(
        self, row: int, brought: Brought, *, after: timedelta = SECOND, probe: bool = False
    ) -> list[str]:
        """Poll one batch; return the types of the events in the order of their storage."""
        before = len(self.events)
        self.commit([self.result(row, brought, after=after, probe=probe)])
        return [event.type.value for event in self.events[before:]]

    def result(
        self,
        row: int,
        brought: Brought,
        *,
        after: timedelta = SECOND,
        probe: bool = False,
        lease: timedelta = 60 * MINUTE,
    ) -> Observed:
        self.now += after
        watch = self.watches[row]
        result = Result(
            source=self.source,
            claim=Claim(
                watch=watch,
                epoch=1,
                due_at=self.now,
                lease_until=self.now + lease,
                probe=probe or self.fails(),
            ),
            at=poll_time(watch, self.now),
            answer=brought,
        )
        return result, observe_result(result)

    def commit(self, group: Sequence[Observed]) -> None:
        """Fold a group and take it over, as the writer does."""
        watched = {1: min(3, len(self.watches))}
        self.judgement = judge_group(group, routes=self.routes, watched=watched, now=self.now)
        self.written = self.judgement.sources()
        for source, standing in self.judgement.standings.values():
            source.health = standing.health
            source.blocked_until = standing.blocked_until
            source.answered_at = standing.answered_at
            self.events += [owed.event for owed in standing.owed]
        for record in self.judgement.records:
            self.watches[record.watch.batch.row] = record.watch
            self.events += [owed.event for owed in record.owed]

    def document(self, event_type: str) -> dict[str, Any]:
        """Return the newest event of a type as a consumer decodes it."""
        found = [event for event in self.events if event.type == event_type]
        document: dict[str, Any] = json.loads(found[-1].body)
        return document


@pytest.fixture
def play() -> Playing:
    return Playing()


# readings


def test_a_reading_leaves_its_state_snapshot_and_events(play: Playing) -> None:
    assert play.poll(0, ACTIVE) == [FIRST]

    (record,) = play.judgement.records
    assert record.epoch == 1
    assert record.learned
    assert record.snapshot is not None
    assert record.snapshot.number == 1
    assert record.watch.sequence == 1


def test_an_unchanged_reading_leaves_one_row_to_update(play: Playing) -> None:
    play.poll(0, ACTIVE)

    assert play.poll(0, ACTIVE) == []
    (record,) = play.judgement.records
    assert not record.learned
    assert record.snapshot is None
    assert play.written == []


@pytest.mark.parametrize("brought", [ACTIVE, SERVER_ERROR, NOT_FOUND, UNAUTHORIZED])
def test_a_poll_good_or_bad_is_repeated_after_the_ordinary_interval(
    play: Playing, brought: Brought
) -> None:
    play.poll(0, ACTIVE)
    play.poll(0, brought)

    (record,) = play.judgement.records
    assert record.next_poll_at is not None
    assert 27 * SECOND <= record.next_poll_at - play.now <= 33 * SECOND


def test_events_go_to_every_receiver_with_a_route_that_applies() -> None:
    play = Playing(
        routes=[
            Route(receiver="ops", matchers=parse_matchers('type =~ "source[.].+"')),
            Route(receiver="crm", matchers=parse_matchers("source = bolna-1")),
            Route(receiver="ops", matchers=parse_matchers("env = prod")),
            Route(receiver="nobody", matchers=parse_matchers("env = test")),
        ]
    )

    play.poll(0, ACTIVE)
    (record,) = play.judgement.records
    assert [owed.receivers for owed in record.owed] == [("crm", "ops")]

    play.poll(0, UNAUTHORIZED)
    (source,) = play.written
    assert [owed.receivers for owed in source.owed] == [("ops", "crm")]


def test_the_next_poll_is_planned_from_now_even_when_the_last_one_lies_ahead(
    play: Playing,
) -> None:
    """As after a restart with a clock that was put back."""
    play.poll(0, ACTIVE)
    group = [play.result(0, ACTIVE)]
    back = START - timedelta(hours=1)

    judgement = judge_group(group, routes=(), watched={}, now=back)

    planned = judgement.records[0].next_poll_at
    assert planned is not None
    assert planned <= back + play.source.pace.interval * 1.1


# source.failing


def test_a_401_is_told_at_once_with_error_and_since(play: Playing) -> None:
    play.poll(0, ACTIVE)

    assert play.poll(0, UNAUTHORIZED) == [FAILING]
    document = play.document(FAILING)
    assert (document["source"], document["subject"]) == ("/sources/bolna-1", "bolna-1")
    assert document["data"] == {
        "source": {"name": "bolna-1", "provider": "bolna", "labels": {"env": "prod"}},
        "sequence": 1,
        "observed_at": "2026-01-29T08:30:01.000Z",
        "error": {"kind": "unauthorized", "status_code": 401},
        "since": "2026-01-29T08:30:01.000Z",
    }


def test_403s_in_a_row_across_batches_are_the_accounts_matter(play: Playing) -> None:
    told = [play.poll(row, FORBIDDEN) for row in (0, 1, 2)]

    assert told == [[], [], [FAILING]]
    assert play.document(FAILING)["data"]["since"] == "2026-01-29T08:30:00.000Z"
    assert all(watch.failures.unreachable_since is None for watch in play.watches.values())


def test_with_fewer_batches_a_403_on_every_one_is_enough() -> None:
    alone, two = Playing(batches=1), Playing(batches=2)

    assert alone.poll(0, FORBIDDEN) == [FAILING]
    assert [two.poll(0, FORBIDDEN), two.poll(0, FORBIDDEN)] == [[], []]
    two.poll(0, ACTIVE)
    assert [two.poll(0, FORBIDDEN), two.poll(1, FORBIDDEN)] == [[], [FAILING]]


def test_a_batch_that_alone_gets_403s_is_itself_unreachable(play: Playing) -> None:
    play.poll(0, ACTIVE)
    told = []

    for _ in range(5):
        told += play.poll(0, FORBIDDEN)
        play.poll(1, ACTIVE)

    assert told == [UNREACHABLE]


def test_a_403_of_a_row_that_failed_the_account_does_not_count_for_its_batch(
    play: Playing,
) -> None:
    play.poll(0, ACTIVE)
    for _ in range(2):
        play.poll(0, NOT_FOUND)
    for row in (0, 1, 0, 0):
        play.poll(row, FORBIDDEN)

    assert play.poll(0, NOT_FOUND) == [RECOVERED]
    assert play.poll(0, NOT_FOUND) == []
    assert play.poll(0, NOT_FOUND) == [UNREACHABLE]


def test_two_minutes_and_5_polls_of_passing_failures_of_mixed_kinds_fail_the_account(
    play: Playing,
) -> None:
    kinds = [SERVER_ERROR, TIMEOUT, LIMITED, PollError(FailureKind.INVALID_BODY, 200), TIMEOUT]

    told = [play.poll(row, kind, after=30 * SECOND) for row, kind in enumerate(kinds)]

    assert told == [[], [], [], [], [FAILING]]
    assert play.document(FAILING)["data"]["error"] == {"kind": "timeout", "status_code": None}


def test_no_batch_becomes_unreachable_while_nothing_is_answered(play: Playing) -> None:
    play.poll(0, ACTIVE)

    told = [play.poll(number % 2, SERVER_ERROR, after=30 * SECOND) for number in range(100)]

    assert [event for events in told for event in events] == [FAILING]
    assert play.watches[0].failures.unreachable_since is None


def test_a_batch_whose_polls_fail_while_others_are_answered_is_itself_unreachable(
    play: Playing,
) -> None:
    told = []
    for _ in range(5):
        told += play.poll(0, SERVER_ERROR, after=15 * SECOND)
        play.poll(1, ACTIVE, after=15 * SECOND)

    assert told == [UNREACHABLE]
    assert play.source.health.failing_since is None


def test_an_unreachable_batch_does_not_fail_its_account(play: Playing) -> None:
    for _ in range(5):
        play.poll(0, NOT_FOUND)

    told = [play.poll(0, SERVER_ERROR, after=MINUTE) for _ in range(20)]

    assert told == [[]] * 20


# source.recovered


@pytest.mark.parametrize("brought", [ACTIVE, NOT_FOUND, PollError(FailureKind.REFUSED, 422)])
def test_any_other_answer_ends_it_404_included(play: Playing, brought: Brought) -> None:
    play.poll(0, ACTIVE)
    play.poll(0, UNAUTHORIZED)

    assert play.poll(0, brought) == [RECOVERED]
    assert play.source.health.clean


def test_the_reading_that_ends_it_tells_the_sources_recovery_then_its_own(play: Playing) -> None:
    play.poll(0, ACTIVE)
    play.poll(0, UNAUTHORIZED)

    assert play.poll(0, PAUSED) == [RECOVERED, STATUS]
    recovered, changed = play.events[-2:]
    assert recovered.at == changed.at
    assert (recovered.sequence, changed.sequence) == (2, 2)


def test_recovered_says_what_had_failed_and_since_when(play: Playing) -> None:
    play.poll(0, UNAUTHORIZED)
    play.poll(1, TIMEOUT, after=MINUTE)
    play.poll(0, ACTIVE, after=MINUTE)

    data = play.document(RECOVERED)["data"]

    assert data["error"] == {"kind": "unauthorized", "status_code": 401}
    assert data["since"] == "2026-01-29T08:30:00.000Z"
    assert data["sequence"] == 2


def test_recovered_says_so_too_when_it_failed_in_the_same_group(play: Playing) -> None:
    play.commit([play.result(0, UNAUTHORIZED), play.result(1, ACTIVE, probe=True)])

    data = play.document(RECOVERED)["data"]

    assert data["error"] == {"kind": "unauthorized", "status_code": 401}
    assert data["since"] == "2026-01-29T08:30:00.000Z"


def test_an_answer_to_a_poll_from_before_the_failure_ends_nothing(play: Playing) -> None:
    late = play.result(1, ACTIVE)
    play.poll(0, UNAUTHORIZED)

    play.commit([late])

    assert play.source.health.failing_since is not None


def test_batches_that_ended_meanwhile_are_told_after_the_gap(play: Playing) -> None:
    play.poll(0, ACTIVE)
    play.poll(0, UNAUTHORIZED)

    assert play.poll(0, DONE, after=60 * MINUTE) == [
        RECOVERED,
        "batch.counts_changed",
        STATUS,
        COMPLETED,
    ]


def test_the_end_of_a_sources_failure_does_not_make_its_batches_reachable(play: Playing) -> None:
    for _ in range(5):
        play.poll(0, NOT_FOUND)
    play.poll(1, UNAUTHORIZED)

    assert play.poll(1, ACTIVE) == [RECOVERED, FIRST]
    assert play.poll(0, ACTIVE) == [FIRST, REACHABLE]


# groups


def test_a_healthy_source_is_not_written(play: Playing) -> None:
    play.commit([play.result(row, ACTIVE) for row in range(5)])

    assert len(play.judgement.records) == 5
    assert play.written == []
    assert play.source.answered_at == play.now


def test_a_source_that_moved_is_written_under_the_version_that_was_read(play: Playing) -> None:
    play.source.version = 17

    play.poll(0, UNAUTHORIZED)

    (record,) = play.written
    assert (record.row, record.version) == (1, 17)
    assert record.health.failing_since == play.now
    assert record.blocked_until == play.now + MINUTE
    assert [item.event.type.value for item in record.owed] == [FAILING]


def test_a_pause_alone_is_written(play: Playing) -> None:
    play.poll(0, LIMITED)
    play.poll(1, ACTIVE)
    assert play.source.health.clean
    assert play.source.blocked_until == START + 7 * SECOND

    play.poll(0, ACTIVE, probe=True)

    (record,) = play.written
    assert record.blocked_until is None
    assert record.owed == ()


def test_sources_are_judged_apart(play: Playing) -> None:
    other = source_of(2)
    watch = Watch(batch=Batch(row=99, source="bolna-2", id="b99", key="key 99"))
    result = Result(
        source=other,
        claim=Claim(watch=watch, epoch=1, due_at=START, lease_until=START + SECOND),
        at=START,
        answer=FORBIDDEN,
    )

    judgement = judge_group(
        [play.result(0, FORBIDDEN), play.result(1, FORBIDDEN), (result, FORBIDDEN)],
        routes=(),
        watched={1: 3, 2: 3},
        now=START,
    )

    health = {row: standing.health for row, (_, standing) in judgement.standings.items()}
    assert (health[1].streak_polls, health[2].streak_polls) == (2, 1)


@settings(max_examples=50)
@given(
    st.lists(
        st.dictionaries(
            st.integers(0, 3),
            st.sampled_from([ACTIVE, PAUSED, DONE, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TIMEOUT]),
            max_size=4,
        ),
        max_size=12,
    )
)
def test_a_group_tells_what_its_polls_tell_one_by_one(
    rounds: list[Mapping[int, Brought]],
) -> None:
    together, singly = Playing(batches=4), Playing(batches=4)

    for polls in rounds:
        group = [
            together.result(row, brought, after=MINUTE, probe=True)
            for row, brought in polls.items()
        ]
        together.commit(group)
        for row, brought in polls.items():
            singly.poll(row, brought, after=MINUTE, probe=True)

    assert together.watches == singly.watches
    assert together.source.health == singly.source.health
    assert together.source.blocked_until == singly.source.blocked_until
    assert together.source.answered_at == singly.source.answered_at
    assert {event.body for event in together.events} == {event.body for event in singly.events}


def test_a_result_whose_lease_ran_out_says_nothing_of_its_account(play: Playing) -> None:
    late = play.result(0, UNAUTHORIZED, lease=2 * SECOND)
    play.now += 2 * SECOND

    play.commit([late])

    assert play.written == []
    assert play.events == []


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(
                [ACTIVE, PAUSED, DONE, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TIMEOUT, LIMITED]
            ),
            st.sampled_from([SECOND, 30 * SECOND, 10 * MINUTE]),
        ),
        max_size=40,
    )
)
def test_whatever_comes_sequences_have_no_gaps_and_no_batch_is_lost_while_the_source_fails(
    polls: list[tuple[int, Brought, timedelta]],
) -> None:
    play = Playing(batches=4)

    for row, brought, after in polls:
        failing = play.source.health.failing_since is not None
        told = play.poll(row, brought, after=after)
        still_failing = play.source.health.failing_since is not None
        assert not (UNREACHABLE in told and still_failing)
        assert (RECOVERED in told[:1]) is (failing and not still_failing)
        assert (FAILING in told) is (still_failing and not failing)

    subjects: dict[tuple[str, int], list[int]] = {}
    for event in play.events:
        subjects.setdefault((event.subject_kind, event.subject_row), []).append(event.sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in subjects.values())
    assert len({event.id for event in play.events}) == len(play.events)
