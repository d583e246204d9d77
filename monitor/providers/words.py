"""Words: what a provider calls the same, however it is spelled."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final, Generic, TypeVar

from monitor.core.batch import normalise

_Meaning = TypeVar("_Meaning")

_normalised: Final = lru_cache(maxsize=4096)(normalise)
"""Providers repeat their words in every answer."""


class Dictionary(Generic[_Meaning]):
    """Tell a word's meaning; another process can be told it, too."""

    def __init__(self, words: Mapping[_Meaning, Collection[str]], *, other: _Meaning) -> None:
        """Take the words by what they mean; `other` is the meaning of any other word."""
        self._other = other
        self._meanings = {
            normalise(word): meaning for meaning, known in words.items() for word in known
        }

    def __call__(self, word: str) -> _Meaning:
        return self._meanings.get(_normalised(word), self._other)
