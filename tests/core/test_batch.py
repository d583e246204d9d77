from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.batch import Knowledge, Origin, Outcome, Phase, Progress, normalise, progress

MakeKnown = Callable[..., Knowledge]


def test_the_total_is_the_valid_contacts(known: MakeKnown) -> None:
    seen = known(counts={"completed": 5, "ringing": 2}, valid_contacts=7, total_contacts=11)

    assert progress(seen).total == 7


def test_without_valid_contacts_the_total_is_the_total_contacts(known: MakeKnown) -> None:
    seen = known(counts={"completed": 5}, total_contacts=11)

    assert progress(seen).total == 11


def test_without_any_contacts_the_total_is_the_sum_of_the_counts(known: MakeKnown) -> None:
    seen = known(counts={"completed": 5, "ringing": 2}, open_calls=2)

    assert progress(seen) == Progress(total=7, finished=5, open=2, percent=71.4)


def test_finished_are_the_calls_that_are_not_open(known: MakeKnown) -> None:
    seen = known(counts={"completed": 1, "ringing": 10, "in-progress": 15}, open_calls=25)

    assert (progress(seen).finished, progress(seen).open) == (1, 25)


@pytest.mark.parametrize(
    ("finished", "total", "percent"),
    [(0, 7, 0.0), (1, 3, 33.3), (2, 3, 66.7), (7, 7, 100.0), (1, 1000, 0.1), (1, 2001, 0.0)],
)
def test_percent_is_rounded_to_one_decimal(
    known: MakeKnown, finished: int, total: int, percent: float
) -> None:
    assert progress(known(counts={"completed": finished}, valid_contacts=total)).percent == percent


def test_more_calls_than_contacts_are_no_more_than_100_percent(known: MakeKnown) -> None:
    assert progress(known(counts={"completed": 26}, total_contacts=11)).percent == 100.0


@pytest.mark.parametrize("contacts", [{"valid_contacts": 0}, {"total_contacts": 0}, {}])
def test_without_a_total_percent_is_null(known: MakeKnown, contacts: dict[str, Any]) -> None:
    assert progress(known(counts={}, **contacts)) == Progress(
        total=0, finished=0, open=0, percent=None
    )


def test_unknown_counts_leave_all_but_the_total_unknown(known: MakeKnown) -> None:
    assert progress(known(counts=None, valid_contacts=7)) == Progress(
        total=7, finished=None, open=None, percent=None
    )
    assert progress(known(counts=None)).total is None


def test_a_batch_never_read_has_no_progress() -> None:
    assert progress(None) == Progress(total=None, finished=None, open=None, percent=None)


@settings(deadline=None)
@given(
    counts=st.none() | st.dictionaries(st.sampled_from("abc"), st.integers(0, 2**63 - 1)),
    valid=st.none() | st.integers(0, 2**63 - 1),
    total=st.none() | st.integers(0, 2**63 - 1),
    share=st.floats(0, 1),
)
def test_percent_is_null_or_between_0_and_100(
    known: MakeKnown,
    counts: dict[str, int] | None,
    valid: int | None,
    total: int | None,
    share: float,
) -> None:
    calls = sum((counts or {}).values())
    seen = known(
        counts=counts,
        open_calls=min(calls, int(calls * share)),
        valid_contacts=valid,
        total_contacts=total,
    )

    percent = progress(seen).percent

    assert percent is None or 0 <= percent <= 100


@pytest.mark.parametrize("spelling", ["no-answer", "NO_ANSWER", "No Answer", "noanswer"])
def test_words_are_compared_without_regard_to_case_dash_underscore_and_space(
    spelling: str,
) -> None:
    assert normalise(spelling) == "noanswer"


def test_other_characters_make_another_word() -> None:
    assert normalise("no.answer") != normalise("no-answer")


def test_the_closed_sets_are_those_of_the_contract() -> None:
    assert [*Phase] == ["pending", "running", "paused", "ended", "unknown"]
    assert [*Outcome] == ["completed", "failed", "cancelled"]
    assert [*Origin] == ["file", "added", "discovered"]
