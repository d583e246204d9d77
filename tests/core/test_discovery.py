import pytest

from monitor.core.discovery import Entries, too_large


def test_what_was_left_out_is_told_in_all_and_by_each_reason_that_there_was() -> None:
    entries = Entries(number=5, no_id=1).plus(Entries(number=4, no_id=1, other_status=3))

    assert entries.number == 9
    assert entries.skipped == {"skipped": 5, "no_id": 2, "other_status": 3}
    assert Entries().skipped == {"skipped": 0}


@pytest.mark.parametrize(
    ("entries", "unread"),
    [
        (Entries(), set()),
        (Entries(unlisted=1), {"items"}),
        (Entries(unlisted=1, number=2), set()),  # what comes after the last page
        (Entries(number=2, no_id=1, undated=1, no_status=1), set()),
        (Entries(number=2, no_id=2), {"id"}),
        (Entries(number=2, undated=2, no_status=2), {"created_at", "status"}),
    ],
)
def test_what_no_entry_says_is_unread(entries: Entries, unread: set[str]) -> None:
    assert entries.unread == unread


def test_what_is_too_large_names_the_bound() -> None:
    assert str(too_large(10_000, "batches")) == "too_large: more than 10,000 batches (200)"
