"""Reading aside: a large answer is read in a process of its own, so that nothing waits for it.

A thread would not do: it holds the interpreter (an answer of 13.6 MiB stopped all others for
0.17 s). There is one such process, started when it is needed; it reads one answer at a time.
"""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from heapq import heappop, heappush
from itertools import count
from typing import Final, TypeVar

from monitor import descriptors
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.net.room import SMALL
from monitor.providers.document import values_in

_Read = TypeVar("_Read")

LONG: Final = 2**20
"""In bytes: shorter documents go first."""
FEW: Final = 1_000
"""Values: an expression takes up to 20 µs for each."""
LONGEST_READ: Final = 5.0
"""In seconds of CPU time of one answer: however much else the machine does meanwhile."""
MEMORY_LIMIT: Final = 2**30
"""In bytes, of the process: 16 MiB take 200 of them, an expression made for it took 4.4 GB."""
_SLICE: Final = 512 * 1024
"""In bytes, of a document on its way there: each is copied, and others have their turn between."""


async def read_aside(read: Callable[[bytes], _Read], document: bytes, *, until: float) -> _Read:
    """Return what `read` makes of a document; raise PollError as it does.

    A small document is read here and now. For a large one `read` is pickled. It is too large if
    reading it takes more time or memory than an answer may; if nobody had the time to read it
    `until` then, by the loop's clock, that is our own want.
    """
    if len(document) <= SMALL and values_in(document) <= FEW:
        return read(document)
    try:
        async with asyncio.timeout_at(until), _desk.turn(len(document)):
            return await _read_in_process(read, document)
    except TimeoutError as error:
        raise PollError(FailureKind.ROOM, reason="there was no time left to read it") from error
    finally:
        del document  # an error waits to be written, and its traceback keeps all that is here


class _Desk:
    """Where the process reads: one at a time, in their order, but for long ones, which come last.

    No further order of their lengths: where there is more than can be read, the longest batch
    would not be read at all.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._order = count()
        self._starting: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self, length: int) -> AsyncIterator[None]:
        """Wait for one's turn."""
        if self._is_taken:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heappush(self._waiting, (length > LONG, next(self._order), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it was given meanwhile
                    self._give()
                raise
        self._is_taken = True
        try:
            yield
        finally:
            self._give()

    def _give(self) -> None:
        """Give the desk to the next one who still waits."""
        while self._waiting:
            *_, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False

    async def be_staffed(self) -> None:
        """Let there be the process; raise PollError if none starts.

        Whoever is cancelled meanwhile leaves the start to the next one.
        """
        from anyio import BrokenWorkerProcess

        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(_start())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await asyncio.shield(self._starting)
        except (BrokenWorkerProcess, ProcessLookupError) as error:  # anyio kills it, gone or not
            raise _without_process("") from error
        except OSError as error:
            if descriptors.is_shortage(error):
                raise PollError(FailureKind.DESCRIPTORS) from error
            raise _without_process(f": {error.strerror}") from error


_desk: Final = _Desk()


async def _start() -> None:
    """Start the process, if it is not there."""
    from anyio import BrokenWorkerProcess, to_process

    os.environ.setdefault("PYTHONSAFEPATH", "1")  # it begins by `-m`: with no module of this folder
    try:
        await to_process.run_sync(_prepare)
    except (KeyboardInterrupt, SystemExit) as error:  # the process was told to end, not this one
        raise BrokenWorkerProcess from error


async def _read_in_process(read: Callable[[bytes], _Read], document: bytes) -> _Read:
    from anyio import BrokenWorkerProcess, to_process

    part = b""
    try:
        for _ in range(2):  # somebody may have ended it by mistake
            await _desk.be_staffed()
            with suppress(BrokenWorkerProcess, EOFError):
                for begin in range(0, len(document), _SLICE):
                    part = document[begin : begin + _SLICE]
                    await to_process.run_sync(_keep, part, begin, cancellable=True)
                return await to_process.run_sync(
                    _read_kept, read, len(document), LONGEST_READ, cancellable=True
                )
        raise _unreadable("the process that reads it does not survive")
    finally:
        del document, part


def _unreadable(reason: str) -> PollError:
    return PollError(FailureKind.TOO_LARGE, 200, reason=reason)


def _without_process(reason: str) -> PollError:
    return PollError(FailureKind.ROOM, reason=f"no process starts to read it{reason}")


# What follows is called in the other process.

_kept: Final[list[bytes]] = []
"""What has come of the document."""


def _prepare() -> None:
    """Let no answer take more memory than it may, and Ctrl-C be for the daemon alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, ValueError):  # some systems know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))


def _keep(part: bytes, begin: int) -> None:
    """Keep one more part of the document."""
    if begin == 0:
        _prepare()  # another process may have been started meanwhile
        _kept.clear()
    _kept.append(part)


def _read_kept(read: Callable[[bytes], _Read], length: int, seconds: float) -> _Read:
    """Read what was kept; raise EOFError if another process was told a part of it."""

    def stop(*_: object) -> None:
        raise _unreadable(f"reading it takes more than {seconds:g} s of CPU time")

    document = b"".join(_kept)
    _kept.clear()
    if len(document) != length:
        raise EOFError
    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return read(document)
    except MemoryError:
        reason = f"reading it takes more than {MEMORY_LIMIT // 2**20:,} MiB of memory"
        raise _unreadable(reason) from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
