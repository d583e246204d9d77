"""Reading aside: a large answer is read in a process of its own, so that nothing waits for it.

A thread would not do: it holds the interpreter (an answer of 13.6 MiB stopped all others for
0.17 s). There is one such process, started when it is needed; it reads one answer at a time.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from monitor import descriptors
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.net.room import SMALL, Place, Room

_Read = TypeVar("_Read")

_SLICE: Final = 512 * 1024
"""In bytes, of a document on its way there: each is copied, and others have their turn between."""
_desk: Final = Room(1)
"""Where one reads at a time."""
_kept: Final[list[bytes]] = []
"""In the other process: what has come of the document."""


async def read_aside(read: Callable[[bytes], _Read], document: bytes, *, until: float) -> _Read:
    """Return what `read` makes of a document; raise PollError as it does.

    A small document is read here and now. For a large one `read` is pickled; one that is not read
    `until` then, by the loop's clock, is too large.
    """
    if len(document) <= SMALL:
        return read(document)
    desk = Place(_desk)
    try:
        async with asyncio.timeout_at(until):
            await desk.take(1)
    except TimeoutError as error:
        raise PollError(
            FailureKind.ROOM, reason="others are read until its time is over"
        ) from error
    try:
        async with asyncio.timeout_at(until):
            return await _read_in_process(read, document)
    except TimeoutError as error:
        raise _unreadable("it is not read in time") from error
    finally:
        desk.leave()


async def _read_in_process(read: Callable[[bytes], _Read], document: bytes) -> _Read:
    from anyio import BrokenWorkerProcess, to_process  # few need it

    for _ in range(2):  # somebody may have ended it by mistake
        try:
            await _be_there()
            for begin in range(0, len(document), _SLICE):
                part = document[begin : begin + _SLICE]
                await to_process.run_sync(_keep, part, begin, cancellable=True)
            return await to_process.run_sync(_read_kept, read, len(document), cancellable=True)
        except (BrokenWorkerProcess, EOFError):
            continue
        except OSError as error:
            shortage = descriptors.is_shortage(error)
            kind = FailureKind.DESCRIPTORS if shortage else FailureKind.ROOM
            raise PollError(kind, reason=None if shortage else error.strerror) from error
    raise _unreadable("the process that reads it does not survive")


async def _be_there() -> None:
    """Let there be the process: whoever is cancelled while it starts would leave it behind."""
    from anyio import to_process

    starting = asyncio.ensure_future(to_process.run_sync(_keep, b"", 0))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        raise


def _unreadable(reason: str) -> PollError:
    return PollError(FailureKind.TOO_LARGE, 200, reason=reason)


def _keep(part: bytes, begin: int) -> None:
    """Keep one more part of the document, in the other process."""
    if begin == 0:
        _kept.clear()
    _kept.append(part)


def _read_kept(read: Callable[[bytes], _Read], length: int) -> _Read:
    """Read what was kept; raise EOFError if another process was told a part of it."""
    document = b"".join(_kept)
    _kept.clear()
    if len(document) != length:
        raise EOFError
    return read(document)
