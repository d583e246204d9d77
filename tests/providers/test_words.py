import pickle

import pytest

from monitor.providers.words import Dictionary

meaning_of = Dictionary({"begun": ("on hold", "In_Progress"), "over": ("done",)}, other="odd")


@pytest.mark.parametrize("word", ["on hold", "ON-HOLD", "in progress", "inprogress"])
def test_a_word_is_known_in_any_spelling(word: str) -> None:
    assert meaning_of(word) == "begun"


@pytest.mark.parametrize("word", ["", "do ne?", "over"])
def test_any_other_word_has_the_meaning_of_others(word: str) -> None:
    assert meaning_of("done") == "over"
    assert meaning_of(word) == "odd"


def test_another_process_can_be_told() -> None:
    told = pickle.loads(pickle.dumps(meaning_of))  # noqa: S301 (just made)

    assert (told("On-Hold"), told("over")) == ("begun", "odd")
