from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.delivery import Delivery, Verdict, VerdictKind
from monitor.core.event import SubjectKind
from monitor.core.pause import Hold
from monitor.engine.receiver import ReceiverAtWork

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OK = Verdict(kind=VerdictKind.DELIVERED, status_code=200)
DOWN = Verdict(kind=VerdictKind.HOLD, status_code=503)
REFUSED = Verdict(kind=VerdictKind.RETRY, status_code=404)


class NoSink:
    async def send(self, delivery: Delivery, *, sent_at: datetime) -> Verdict:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


def make(**about: Any) -> ReceiverAtWork:
    given: dict[str, Any] = {
        "name": "crm",
        "kind": "webhook",
        "sink": NoSink(),
        "schedule": (SECOND,),
        "slots": 8,
        "spacing": timedelta(),
        "timeout": 15 * SECOND,
    }
    return ReceiverAtWork(**(given | about))


def delivery(row: int) -> Delivery:
    return Delivery(
        row=row,
        epoch=1,
        event_id=f"evt_{row}",
        event_type="batch.first_seen",
        body=b"{}",
        receiver="crm",
        subject_kind=SubjectKind.BATCH,
        subject_row=row,
        sequence=1,
        attempts=0,
        observed_at=NOW,
        enqueued_at=NOW,
    )


def test_it_takes_as_many_as_it_has_slots() -> None:
    receiver = make()

    for taken in range(8):
        assert receiver.room(NOW) == 8 - taken
        receiver.begin(NOW)

    assert receiver.room(NOW) == 0
    receiver.end(OK, started_at=NOW, now=NOW)
    assert receiver.room(NOW) == 1


def test_attempts_that_nobody_commits_take_room_in_the_end() -> None:
    receiver = make()
    assert make(unsettled=receiver.most_unsettled - 3).room(NOW) == 3
    assert make(unsettled=receiver.most_unsettled).room(NOW) == 0


def test_it_wants_what_fills_its_slots_and_its_hand() -> None:
    receiver = make()
    receiver.ahead.size = 20
    receiver.ahead.add([delivery(1)], at=NOW)

    assert receiver.wanted(NOW) == 8 + 20 - 1


@pytest.mark.parametrize(
    "about", [{"spacing": SECOND}, {"hold": Hold(until=NOW, since=NOW, step=0)}]
)
def test_one_that_is_spaced_or_held_wants_one_at_a_time(about: dict[str, Any]) -> None:
    receiver = make(**about)
    receiver.ahead.size = 20

    assert receiver.wanted(NOW) == 1
    receiver.ahead.add([delivery(1)], at=NOW)
    assert receiver.wanted(NOW) == 0


def test_a_claim_is_stale_when_it_might_not_outlast_an_attempt() -> None:
    receiver = make()
    receiver.ahead.add([delivery(1)], at=NOW)
    receiver.ahead.add([delivery(2)], at=NOW + SECOND)

    stale = receiver.ahead.drop_stale(at=NOW + 25 * SECOND, patience=receiver.patience)

    assert [one.row for one in stale] == [1]


def test_nothing_is_drawn_without_room() -> None:
    receiver = make(in_flight=8)
    receiver.ahead.add([delivery(1)], at=NOW)

    assert receiver.draw(NOW) is None


def test_a_failure_that_outlived_its_lease_was_our_own_pause() -> None:
    receiver = make()
    receiver.begin(NOW)

    assert not receiver.end(DOWN, started_at=NOW, now=NOW + receiver.lease)

    assert receiver.hold is None
    assert receiver.in_flight == 0


def test_sends_are_spaced() -> None:
    receiver = make(slots=1, spacing=SECOND)
    receiver.begin(NOW)
    receiver.end(OK, started_at=NOW, now=NOW)

    assert receiver.room(NOW + 0.9 * SECOND) == 0
    assert receiver.room(NOW + SECOND) == 1


def test_a_failure_as_a_whole_holds_and_lets_one_probe_through_after_it() -> None:
    receiver = make()
    receiver.begin(NOW)

    assert receiver.end(DOWN, started_at=NOW, now=NOW)

    assert receiver.room(NOW + 4 * SECOND) == 0
    assert receiver.room(NOW + 5 * SECOND) == 1
    receiver.begin(NOW + 5 * SECOND)
    assert receiver.room(NOW + 5 * SECOND) == 0


def test_attempts_that_fail_together_lengthen_the_hold_once() -> None:
    receiver = make()
    for _ in range(3):
        receiver.begin(NOW)

    moved = [receiver.end(DOWN, started_at=NOW, now=NOW + SECOND) for _ in range(3)]

    assert moved == [True, False, False]
    assert receiver.hold is not None
    assert (receiver.hold.step, receiver.hold.until) == (0, NOW + 6 * SECOND)


def test_each_probe_that_fails_lengthens_the_hold() -> None:
    receiver, at, waits = make(), NOW, []
    for _ in range(9):
        receiver.begin(at)
        receiver.end(DOWN, started_at=at, now=at)
        assert receiver.hold is not None
        waits.append((receiver.hold.until - at).total_seconds())
        at = receiver.hold.until

    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize("verdict", [REFUSED, Verdict(kind=VerdictKind.DEAD, status_code=410)])
def test_a_refusal_of_one_delivery_neither_holds_nor_lifts(verdict: Verdict) -> None:
    receiver = make()
    receiver.begin(NOW)
    assert not receiver.end(verdict, started_at=NOW, now=NOW)
    assert receiver.hold is None

    receiver.begin(NOW)
    receiver.end(DOWN, started_at=NOW, now=NOW)
    receiver.begin(NOW + 5 * SECOND)
    assert not receiver.end(verdict, started_at=NOW + 5 * SECOND, now=NOW + 5 * SECOND)
    assert receiver.hold is not None


def test_the_first_success_lifts_the_hold() -> None:
    receiver = make()
    for _ in range(2):
        receiver.begin(NOW)
    receiver.end(DOWN, started_at=NOW, now=NOW)

    assert receiver.end(OK, started_at=NOW, now=NOW)

    assert (receiver.hold, receiver.room(NOW)) == (None, 8)
    assert not receiver.end(OK, started_at=NOW, now=NOW)


def test_a_claim_lasts_longer_than_any_attempt() -> None:
    assert make(timeout=60 * SECOND).lease == 130 * SECOND
