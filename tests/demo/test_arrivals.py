from monitor.consumer import Refusal
from monitor.demo.arrivals import Arrivals
from tests.demo.conftest import arrival, event


def test_what_is_accepted_is_found_by_its_subject() -> None:
    arrivals, first = Arrivals(), arrival(event("batch.first_seen", "created"))

    arrivals.note(first)

    assert arrivals.of(("/sources/bolna", "b1")) == arrivals.accepted == [first]
    assert arrivals.of(("/sources/bolna", "b2")) == []
    assert (arrivals.duplicates, arrivals.bad_signatures, arrivals.gaps) == (0, 0, 0)


def test_duplicates_and_refusals_are_counted_and_not_accepted() -> None:
    arrivals = Arrivals()

    arrivals.note(arrival(event("batch.first_seen", "created"), duplicate=True))
    arrivals.note(Refusal(reason="no signature"))

    assert arrivals.accepted == []
    assert (arrivals.duplicates, arrivals.bad_signatures, arrivals.gaps) == (1, 1, 0)


def test_a_sequence_that_leaps_is_a_gap_of_its_subject_alone() -> None:
    arrivals = Arrivals()

    for document in (
        event("batch.first_seen", "created", sequence=1),
        event("batch.first_seen", "created", subject="b2"),
        event("batch.completed", "completed", sequence=3),
    ):
        arrivals.note(arrival(document))

    assert (len(arrivals.accepted), arrivals.gaps) == (3, 1)
