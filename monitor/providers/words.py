"""Words: what a provider calls the same, however it is spelled."""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TypeVar

from monitor.core.batch import normalise

_Meaning = TypeVar("_Meaning")


def dictionary(
    words: Mapping[_Meaning, Collection[str]], *, other: _Meaning
) -> Callable[[str], _Meaning]:
    """Return what tells a word's meaning; `other` is that of any word that is not among these."""
    meanings = {normalise(word): meaning for meaning, known in words.items() for word in known}

    @lru_cache(maxsize=1024)
    def meaning_of(word: str) -> _Meaning:
        return meanings.get(normalise(word), other)

    return meaning_of
