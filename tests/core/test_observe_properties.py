import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.batch import SettledBy
from monitor.core.failure import FailureKind
from tests.core.names import (
    COUNTS,
    ENDS,
    FIRST,
    INTERVAL,
    REOPENED,
    STATUS,
    STILL,
)
from tests.lives.stage import stored
from tests.schema import complaints

if TYPE_CHECKING:
    from tests.core.conftest import Life

NewLife = Callable[..., "Life"]

WORDS = ["queued", "running", "PAUSED", "executed", "completed", "failed", "stopped", "ODD", "odd"]
counts_maps = st.none() | st.dictionaries(
    st.sampled_from(["completed", "failed", "ringing", "rescheduled"]), st.integers(0, 3)
)
readings = st.fixed_dictionaries(
    {"status": st.sampled_from(WORDS), "counts": counts_maps},
    optional={
        "total_contacts": st.none() | st.integers(1, 3),
        "valid_contacts": st.none() | st.integers(1, 3),
        "name": st.none() | st.sampled_from(["a.csv", "b.csv"]),
    },
)
failures = st.fixed_dictionaries({"kind": st.sampled_from(FailureKind), "answered": st.booleans()})
steps = st.tuples(
    readings | failures, st.sampled_from([INTERVAL, INTERVAL * 0.5, timedelta(), -INTERVAL, STILL])
)
lives = st.lists(steps, max_size=25)
Step = tuple[dict[str, Any], timedelta]


def play(life: "Life", step: Step) -> list[str]:
    fields, after = step
    if "status" in fields:
        return life.reads(**fields, after=after)
    return life.fails(**fields, after=after)


def with_zeros_left_out(counts: Mapping[str, int] | None) -> dict[str, int]:
    return {status: number for status, number in (counts or {}).items() if number}


@settings(max_examples=50)
@given(lives)
def test_sequence_counts_the_events_from_1_without_gaps(
    new_life: NewLife, life_: list[Step]
) -> None:
    life = new_life()

    for step in life_:
        before = len(life.events)
        told = play(life, step)
        assert life.watch.sequence == before + len(told)

    assert [event.sequence for event in life.events] == list(range(1, len(life.events) + 1))
    assert len({event.id for event in life.events}) == len(life.events)


@settings(max_examples=50)
@given(lives)
def test_every_body_fits_the_published_schema(new_life: NewLife, life_: list[Step]) -> None:
    life = new_life()

    for step in life_:
        play(life, step)

    assert [complaints(json.loads(event.body)) for event in life.events] == [[]] * len(life.events)


@settings(max_examples=50)
@given(lives)
def test_no_event_comes_without_the_difference_that_it_tells(
    new_life: NewLife, life_: list[Step]
) -> None:
    life = new_life()

    for step in life_:
        before = life.watch
        told = set(play(life, step))
        last, known = before.known, life.watch.known
        assert (FIRST in told) is (last is None and known is not None)
        if last is None or known is None:
            continue
        assert (STATUS in told) is (known.status != last.status)
        assert (COUNTS in told) is (
            with_zeros_left_out(known.counts) != with_zeros_left_out(last.counts)
            or known.total_contacts != last.total_contacts
            or known.valid_contacts != last.valid_contacts
        )
        ended_anew = last.settled_at is None or known.outcome is not last.outcome
        assert bool(ENDS & told) is (known.settled_at is not None and ended_anew)
        assert (REOPENED in told) is (known.settled_at is None and last.settled_at is not None)


@settings(max_examples=50)
@given(lives, readings)
def test_the_same_reading_again_is_silent(
    new_life: NewLife, life_: list[Step], fields: dict[str, Any]
) -> None:
    life = new_life()
    for step in life_:
        play(life, step)
    hour = timedelta(hours=1)  # more than the clock has stepped back
    life.reads(**fields, after=hour)

    again = life.reads(**fields)
    third = [life.reads(**fields) for _ in range(3)]

    assert set(again) <= ENDS  # the second reading may confirm an end, nothing else
    assert third == [[]] * 3


@settings(max_examples=50)
@given(lives)
def test_the_changes_add_up_to_the_last_known_counts(new_life: NewLife, life_: list[Step]) -> None:
    life = new_life()
    total: Counter[str] = Counter()

    for step in life_:
        for told in play(life, step):
            if told == FIRST:
                total.update(life.data(FIRST)["counts"] or {})
            elif told == COUNTS:
                total.update(life.data(COUNTS)["changes"])

    known = life.watch.known
    assert with_zeros_left_out(total) == with_zeros_left_out(known.counts if known else None)


@settings(max_examples=50)
@given(lives)
def test_settled_never_flips_without_a_reading_that_shows_why(
    new_life: NewLife, life_: list[Step]
) -> None:
    life = new_life()

    for step in life_:
        was = life.watch.known is not None and life.settled
        play(life, step)
        now = life.watch.known is not None and life.settled
        if was == now:
            continue
        fields, _ = step
        assert "status" in fields
        shown = with_zeros_left_out(fields["counts"])
        shows_open = bool({"ringing", "rescheduled"} & shown.keys())
        final = fields["status"] in {"executed", "completed", "failed", "stopped"}
        if now:
            assert final
            assert life.known.open_calls == 0 or life.known.settled_by is not SettledBy.COUNTS
        else:
            assert shows_open or not final


@settings(max_examples=50)
@given(lives)
def test_readings_alone_decide_when_a_batch_settles(new_life: NewLife, life_: list[Step]) -> None:
    """Settle again by the words of the contract, without looking at the code."""
    life = new_life()
    settled, streak_since, last_open = False, None, 0
    seen: dict[str, int] = {}
    moved_at, last = None, None

    for fields, after in life_:
        play(life, (fields, after))
        if "status" not in fields:
            continue
        at = life.watch.observed_at
        assert at is not None
        shown = with_zeros_left_out(fields["counts"])
        as_few = streak_since is not None and shown == seen
        lacking = as_few or sum(shown.values()) < sum(seen.values())
        seen = shown or seen
        totals = (life.known.total_contacts, life.known.valid_contacts)
        if last != (fields["status"], seen, totals):
            last, moved_at = (fields["status"], seen, totals), at
        assert moved_at is not None
        live = seen.get("ringing", 0)
        opens = live + seen.get("rescheduled", 0)
        final = fields["status"] in {"executed", "completed", "failed", "stopped"}
        settled = settled and final and opens <= last_open
        cut_short = fields["status"] in {"failed", "stopped"}
        quiet = final and not settled and (not opens or (cut_short and not live))
        by_counts = final and bool(shown) and not opens and not lacking
        streak_since = (streak_since or at) if quiet and not by_counts else None
        confirmed = streak_since is not None and at - streak_since >= INTERVAL * 0.9
        silent = final and opens > 0 and at - moved_at >= STILL
        settled = settled or by_counts or confirmed or silent
        last_open = opens
        assert life.settled is settled


@settings(max_examples=50)
@given(lives)
def test_a_restart_after_any_poll_changes_nothing(new_life: NewLife, life_: list[Step]) -> None:
    life, restarted = new_life(), new_life()

    for step in life_:
        play(life, step)
        play(restarted, step)
        restarted.watch = stored(restarted.watch)

    assert restarted.watch == life.watch
    assert [event.body for event in restarted.events] == [event.body for event in life.events]
