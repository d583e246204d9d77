"""Once: what lasts is logged when it begins, again every ten minutes, and when it ends."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

REMIND_AFTER: Final = 600.0
"""Seconds after which what lasts is logged again."""

Key = TypeVar("Key", bound=Hashable)


class Once(Generic[Key]):
    """Remember what was logged, by key, so that nothing is repeated and each end is logged.

    >>> once = Once()
    >>> once.is_news("disk full", at=0.0), once.is_news("disk full", at=599.0)
    (True, False)
    >>> once.is_news("disk full", at=600.0), once.end("disk full"), once.end("disk full")
    (True, True, False)
    """

    def __init__(self) -> None:
        self._logged: dict[Key, float] = {}

    def __contains__(self, key: Key) -> bool:
        """Return whether it was logged and has not ended."""
        return key in self._logged

    def is_news(self, key: Key, *, at: float) -> bool:
        """Return whether to log it now (`at`, in seconds); take it that it is logged then."""
        logged_at = self._logged.get(key)
        if logged_at is not None and at - logged_at < REMIND_AFTER:
            return False
        self._logged[key] = at
        return True

    def end(self, key: Key) -> bool:
        """Forget it; return whether it was logged: then its end is worth a line, too."""
        return self._logged.pop(key, None) is not None
