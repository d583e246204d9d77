"""The head of an answer: taken whole before it is parsed, so that its status is known."""

import asyncio
import re
from typing import Final

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

INTERIM_LIMIT: Final = 32
"""Interim answers (1xx) to one request; a server that works for long sends one every 20 s or so."""
HEAD_LIMIT: Final = 256 * 1024
"""In bytes."""
LINES_LIMIT: Final = 4096

_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})[ \r\n]")
_BEGINNING: Final = b"HTTP/1."
_END: Final = re.compile(rb"\r?\n\r?\n")
_LONGEST_END: Final = 4
_LENGTH: Final = b"\ncontent-length"
_RETRY_AFTER: Final = re.compile(rb"(?i)\nretry-after[ \t]*:[ \t]*([^\r\n]{0,64})")
_LENGTHS: Final = re.compile(rb"(?i)\ncontent-length[ \t]*:[ \t]*([^\r\n]*?)[ \t]*(?=\r?\n)")


class AnswerHandler(ResponseHandler):
    """Hand each head to aiohttp's parser as a whole, and remember the status that it names.

    What the parser makes of a head, and of what follows, is then no longer all there is to know: a
    receiver that said 204 has the event, whatever else it says.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._status: int | None = None
        self._head: bytes = b""
        """The final head, once it is whole."""
        self._begun = bytearray()
        """What has come of a head that is not whole yet."""
        self._interim = 0
        self._passing = False
        """Whether what comes goes to the parser as it is: a body, or what is no HTTP at all."""

    def expect(self) -> None:
        """Take what comes from now on for the answer to a new request."""
        self._status = None
        self._head = b""
        self._begun.clear()
        self._interim = 0
        self._passing = False

    @property
    def status(self) -> int | None:
        """Return the status of the answer, as soon as its first line is there; never a 1xx."""
        return self._status or _final(_status_of(self._begun))

    @property
    def retry_after(self) -> str | None:
        """Return the header of this name, even of a head that the parser refuses."""
        found = _RETRY_AFTER.search(self._head or self._begun)
        return found[1].decode("latin-1") if found else None

    def data_received(self, data: bytes) -> None:
        """Pass a body on, and each head once it is whole.

        aiohttp takes any number of interim answers, as fast as they come: at the speed of a local
        network they kept uvloop from all else for seconds beyond the deadline, and filled 130 MiB
        (measured). Here a flood of them ends the connection.
        """
        while not self._passing:
            whole = self._take_head(data)
            if whole is None:
                return
            head, data = whole
            if self._passing:
                data = head + data
            else:
                super().data_received(head)
        super().data_received(data)

    def _take_head(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return the next head and what follows it; none while it is not whole."""
        end = data.find(b"\r\n\r\n") if not self._begun and data.startswith(_BEGINNING) else -1
        if end >= 0:  # as nearly all come
            head, rest = data[: end + 4], data[end + 4 :]
        else:
            searched = max(0, len(self._begun) - _LONGEST_END)
            self._begun += data if self._begun else data.lstrip(b"\r\n")
            found = _END.search(self._begun, searched)
            if found is None and self._is_http():
                if len(self._begun) > HEAD_LIMIT:
                    self._give_up("the head is too large")
                return None
            end = found.end() if found else 0
            head, rest = bytes(self._begun[:end]), bytes(self._begun[end:])
        self._begun.clear()
        status = _status_of(head)
        if status is None or status >= 200:
            self._passing, self._status, self._head = True, status, head
            return _with_one_length(head), rest
        self._interim += 1
        if self._interim > INTERIM_LIMIT:
            self._give_up("too many interim answers")
            return None
        return head, rest

    def _is_http(self) -> bool:
        length = len(_BEGINNING)
        return self._begun[:length] == _BEGINNING[: len(self._begun)]

    def _give_up(self, reason: str) -> None:
        self.set_exception(HttpProcessingError(message=reason))
        if self.transport is not None:
            self.transport.abort()


def _status_of(head: bytes | bytearray) -> int | None:
    found = _STATUS.match(head)
    return int(found[1]) if found else None


def _final(status: int | None) -> int | None:
    return None if status is None or status < 200 else status


def _with_one_length(head: bytes) -> bytes:
    """Say once what a head says several times alike: its length (RFC 9110, 8.6).

    aiohttp's parser refuses it; proxies that add their own make such heads.
    """
    lowered = head.lower()
    at = lowered.find(_LENGTH)
    line_end = lowered.find(b"\n", at + 1)
    if at < 0 or (lowered.find(b",", at, line_end) < 0 and lowered.find(_LENGTH, line_end) < 0):
        return head
    lengths = {part.strip() for value in _LENGTHS.findall(head) for part in value.split(b",")}
    if len(lengths) != 1:
        return head
    without = re.sub(_LENGTHS.pattern + rb"\r?", b"", head)
    return without.replace(b"\n", b"\nContent-Length: " + lengths.pop() + b"\r\n", 1)
