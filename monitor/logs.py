"""How the log is written: one event a line, no values of other libraries' making."""

import atexit
import io
import logging
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from monitor.log_queue import LogQueue

REMIND: Final = 600.0
"""Seconds between two lines that say the same of a library."""
_MOST_KINDS: Final = 100
"""Of lines that are remembered, so that memory is bounded; all others count as one."""
_OTHERS: Final = ("", "", None)
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3}
"""What syslog calls them; all that is worse is critical."""
_CRITICAL: Final = 2
_DRAIN: Final = 0.5
"""Seconds that the last lines get at the end."""
_queues: Final[dict[int, LogQueue]] = {}
"""By descriptor."""


def set_up_logs(
    *, level: str, log_format: str, instance: str | None = None, stream: TextIO | None = None
) -> None:
    """Send the log to `stream` (standard output): coloured on a terminal, JSON elsewhere.

    Lines of JSON, which are collected from several daemons, name the instance. An open file gets
    them from a thread, so that nobody waits for it.
    """
    out = stream or sys.stdout
    console = log_format == "console" or (log_format == "auto" and out.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if console or instance is None else [_naming(instance)]),
            *_renderers(console=console, colors=out.isatty(), journal=_is_journal(out)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", way_out(out))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_ForeignHandler()], level=logging.WARNING, force=True)


def lines_dropped() -> int:
    """Return how many lines nobody could read since the start: their output was stuck, or full."""
    return sum(queue.dropped for queue in _queues.values())


def way_out(out: TextIO) -> "LogQueue | _Lasting":
    """Return what takes lines for an output, and never waits."""
    try:
        return _queue(out.fileno())
    except (OSError, ValueError):  # no file of the system's, or closed
        return _Lasting(out)


def _queue(descriptor: int) -> LogQueue:
    """Return the queue of an open file: a reload changes nothing of what waits there."""
    if descriptor not in _queues:
        _queues[descriptor] = LogQueue(descriptor, _tell_dropped)
        atexit.register(_queues[descriptor].drain, _DRAIN)
    return _queues[descriptor]


def _tell_dropped(lines: int) -> None:
    log = structlog.stdlib.get_logger()
    log.warning("log.dropped", lines=lines)


def _is_journal(out: TextIO) -> bool:
    """Return whether systemd's journal reads an output (systemd.exec(5), `JOURNAL_STREAM`)."""
    try:
        found = os.fstat(out.fileno())
    except (OSError, ValueError):  # no file of the system's
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _prefix_priority(_logger: object, method: str, text: str) -> str:
    """Begin each line as sd-daemon(3) says, so that `journalctl -p warning` shows what it should.

    The journal takes the prefix off.
    """
    priority = _PRIORITIES.get(method, _CRITICAL)
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))


def _naming(instance: str) -> Processor:
    def name(_logger: object, _method: str, line: EventDict) -> EventDict:
        line["instance"] = instance
        return line

    return name


def _renderers(*, console: bool, colors: bool, journal: bool) -> list[Any]:
    prefix = [_prefix_priority] if journal else []
    # a traceback as rich draws it shows locals: keys and phone numbers
    if console:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain), *prefix]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
        *prefix,
    ]


class _Lasting:
    """Drop what nobody can read any more: an output that closed must not stop the daemon.

    Nor must what the output cannot spell. JSON is UTF-8 whatever the locale says (RFC 8259, 8.1),
    and half a surrogate pair, which a provider's JSON can hold, is written as its escape.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the latter: this process closed it
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _ForeignHandler(logging.Handler):
    """Pass on that a library logged something, without its text: that may hold URLs and keys.

    The same again waits for `REMIND`: a scanner at the port, or a peer that answers nonsense, can
    make a library say it a thousand times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, str, str | None], _Repeat] = {}

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        kind = (record.name, record.levelname, error)
        if kind not in self._told and len(self._told) >= _MOST_KINDS:
            kind = _OTHERS
        told, now = self._told.get(kind), time.monotonic()
        if told is not None and now - told.at < REMIND:
            told.left_out += 1
            return
        self._told[kind] = _Repeat(at=now)
        said = {"library": record.name, "severity": record.levelname, "error": error}
        log = structlog.stdlib.get_logger()
        log.warning("library.said", **said, left_out=told.left_out if told else 0)


@dataclass(slots=True)
class _Repeat:
    """When something was logged, and how often it was not since."""

    at: float
    left_out: int = 0
