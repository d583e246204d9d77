"""What the log says of failing polls: the first, one every ten minutes, and the end."""

from datetime import datetime, timedelta

import structlog

from monitor import descriptors
from monitor.core.batch import Watch
from monitor.core.errors import FailureKind, PollError
from monitor.core.event import stamp
from monitor.core.source import is_answer, was_unasked
from monitor.engine.judgement import Result
from monitor.engine.source import SourceAtWork

REMIND_AFTER = timedelta(minutes=10)
_WORDS_LIMIT = 1000

log = structlog.stdlib.get_logger()


class PollLog:
    """Remember what was said, so that each change of state is one line."""

    def __init__(self) -> None:
        self._batches: dict[int, datetime] = {}
        self._sources: dict[str, datetime] = {}
        self._rows: dict[str, int] = {}
        self._shortage: datetime | None = None
        self._words: set[tuple[str, str]] = set()
        self._uncounted: set[tuple[str, str]] = set()

    def polled(self, result: Result, watch: Watch, next_try: datetime | None) -> None:
        """Tell what a poll brought, as far as it is new."""
        source = result.source
        match result.answer:
            case PollError() as failure:
                self.failed(source, watch, failure, next_try, at=result.at)
            case reading:
                self.succeeded(source, watch)
                self.unknown_words(source, reading.unknown_call_statuses)
                self.uncounted(source, reading.uncounted)

    def recovered(self, source: SourceAtWork) -> None:
        """Tell that an account answers again."""
        self._sources.pop(source.name, None)
        log.info("source.recovered", source=source.name)

    def remind(self, source: SourceAtWork, *, at: datetime) -> None:
        """Tell that an account fails: at once, and every ten minutes that it goes on."""
        name, health = source.name, source.health
        if health.failing_since is None:
            return
        if at - self._sources.get(name, at - REMIND_AFTER) < REMIND_AFTER:
            return
        self._sources[name] = at
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
        """Tell a batch's failing polls, unless the account as a whole is what fails."""
        if was_unasked(failure.kind):
            self._tell_shortage(at)
            return
        row = watch.batch.row
        told = self._batches.get(row)
        if told is None and not self._is_first(source, failure):
            return
        if told is not None and at - told < REMIND_AFTER:
            return
        self._batches[row] = at
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
        """Tell that a batch's polls work again, if the log said that they failed."""
        if self._batches and self._batches.pop(watch.batch.row, None) is not None:
            log.info("poll.recovered", source=source.name, batch=watch.batch.id)

    def unknown_words(self, source: SourceAtWork, words: tuple[str, ...]) -> None:
        """Tell call statuses that we do not know, once per word and source."""
        for word in words:
            key = (source.name, word)
            if key not in self._words and len(self._words) < _WORDS_LIMIT:
                self._words.add(key)
                log.warning("call_status.unknown", source=source.name, word=word)

    def uncounted(self, source: SourceAtWork, reason: FailureKind | None) -> None:
        """Tell that the calls of an account's batches cannot be counted, once per reason."""
        key = (source.name, reason or "")
        if reason is not None and key not in self._uncounted:
            self._uncounted.add(key)
            log.warning("counts.unread", source=source.name, kind=reason)

    def _tell_shortage(self, at: datetime) -> None:
        """Tell that polls fail because this process may open no more files: whoever is asked."""
        if self._shortage is None or at - self._shortage >= REMIND_AFTER:
            self._shortage = at
            log.error("descriptors.exhausted", limit=descriptors.limit())

    def _is_first(self, source: SourceAtWork, failure: PollError) -> bool:
        """Tell whether this failure is new: the first of the account's, or one batch's alone."""
        if is_answer(failure.kind):
            return True
        name, health = source.name, source.health
        if health.failing_since is not None or self._rows.get(name) == health.streak_number:
            return False
        self._rows[name] = health.streak_number
        return True
