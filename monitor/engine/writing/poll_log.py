"""The log of failing polls: the first, one every ten minutes, and the end."""

from datetime import datetime
from typing import Final

import structlog

from monitor import descriptors
from monitor.core.batch import Watch
from monitor.core.errors import PollError
from monitor.core.event import stamp
from monitor.core.failure import FailureKind
from monitor.core.once import Once
from monitor.core.source import is_answer, is_ours
from monitor.engine.source import SourceAtWork
from monitor.engine.writing.judgement import Result

_WORDS_LIMIT: Final = 1000

log = structlog.stdlib.get_logger()


class PollLog:
    """Log each change of state as one line; remember what was logged."""

    def __init__(self) -> None:
        self._batches: Once[int] = Once()
        self._sources: Once[str] = Once()
        self._streaks: dict[str, int] = {}
        self._shortage: Once[str] = Once()
        self._words: set[tuple[str, str]] = set()
        self._uncounted: set[tuple[str, str]] = set()

    def polled(self, result: Result, watch: Watch, next_try: datetime | None) -> None:
        """Log what a poll brought, as far as it is new."""
        source = result.source
        match result.answer:
            case PollError() as failure:
                self.failed(source, watch, failure, next_try, at=result.at)
            case reading:
                self.succeeded(source, watch)
                self.unknown_words(source, reading.unknown_call_statuses)
                self.uncounted(source, reading.uncounted)

    def recovered(self, source: SourceAtWork) -> None:
        """Log that an account answers again."""
        self._sources.end(source.name)
        log.info("source.recovered", source=source.name)

    def remind(self, source: SourceAtWork, *, at: datetime) -> None:
        """Log that an account fails: at once, and every ten minutes that it goes on."""
        name, health = source.name, source.health
        if health.failing_since is None:
            return
        if not self._sources.is_news(name, at=at.timestamp()):
            return
        log.warning(
            "source.failing",
            source=name,
            kind=health.kind,
            status_code=health.status_code,
            since=stamp(health.failing_since),
            next_try=stamp(source.blocked_until) if source.blocked_until else None,
        )

    def failed(
        self,
        source: SourceAtWork,
        watch: Watch,
        failure: PollError,
        next_try: datetime | None,
        *,
        at: datetime,
    ) -> None:
        """Log a batch's failing polls, unless the account as a whole is what fails."""
        if is_ours(failure.kind):
            self._log_shortage(source, watch, failure, at)
            return
        row = watch.batch.row
        if row not in self._batches and not self._is_first(source, failure):
            return
        if not self._batches.is_news(row, at=at.timestamp()):
            return
        log.warning(
            "poll.failing",
            source=source.name,
            batch=watch.batch.id,
            kind=failure.kind,
            **failure.details,
            status_code=failure.status_code,
            next_try=stamp(max(next_try, source.blocked_until or next_try)) if next_try else None,
        )

    def succeeded(self, source: SourceAtWork, watch: Watch) -> None:
        """Log that a batch's polls work again, if it was logged that they failed."""
        if self._batches.end(watch.batch.row):
            log.info("poll.recovered", source=source.name, batch=watch.batch.id)

    def unknown_words(self, source: SourceAtWork, words: tuple[str, ...]) -> None:
        """Log call statuses that we do not know, once per word and source."""
        for word in words:
            key = (source.name, word)
            if key not in self._words and len(self._words) < _WORDS_LIMIT:
                self._words.add(key)
                log.warning("call_status.unknown", source=source.name, word=word)

    def uncounted(self, source: SourceAtWork, reason: FailureKind | None) -> None:
        """Log that the calls of an account's batches cannot be counted, once per reason."""
        key = (source.name, reason or "")
        if reason is not None and key not in self._uncounted:
            self._uncounted.add(key)
            log.warning("counts.unread", source=source.name, kind=reason)

    def _log_shortage(
        self, source: SourceAtWork, watch: Watch, failure: PollError, at: datetime
    ) -> None:
        """Log that polls fail for want of something of our own, whoever is asked."""
        if not self._shortage.is_news(failure.kind, at=at.timestamp()):
            return
        if failure.kind is FailureKind.DESCRIPTORS:
            log.error("descriptors.exhausted", limit=descriptors.limit())
        else:
            batch = {"source": source.name, "batch": watch.batch.id}
            log.error("room.exhausted", **batch, **failure.details)

    def _is_first(self, source: SourceAtWork, failure: PollError) -> bool:
        """Return whether this failure is new: the first of the account's, or one batch's alone."""
        if is_answer(failure.kind):
            return True
        name, health = source.name, source.health
        if health.failing_since is not None or self._streaks.get(name) == health.streak_number:
            return False
        self._streaks[name] = health.streak_number
        return True
