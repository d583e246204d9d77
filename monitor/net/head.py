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
_LENGTH: Final = b"content-length"
_SWITCHING: Final = 101
_BODILESS: Final = frozenset({204, 304})


class AnswerHandler(ResponseHandler):
    """Hand the final head to aiohttp's parser as a whole, and remember the status that it names.

    What the parser makes of a head, and of what follows, is then no longer all there is to know: a
    receiver that said 204 has the event, whatever else it says.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.expect()

    def expect(self) -> None:
        """Take what comes from now on for the answer to a new request."""
        self._status: int | None = None
        self._head = b""
        """The final head, once it is whole."""
        self._begun = bytearray()
        """What has come of a head that is not whole yet."""
        self._interim = 0
        self._passing = False
        """Whether what comes goes to the parser as it is: a body, or what is no HTTP at all."""

    @property
    def status(self) -> int | None:
        """Return the status of the answer, as soon as its first line is there; never a 1xx."""
        return self._status or _final(_status_of(self._begun))

    @property
    def retry_after(self) -> str | None:
        """Return the header of this name, even of a head that the parser refuses."""
        found = _values(self._head or bytes(self._begun), b"retry-after")
        return found[0].decode("latin-1") if found else None

    def data_received(self, data: bytes) -> None:
        """Pass the final head on once it is whole, and its body as it comes.

        Interim answers (1xx) end here. aiohttp takes any number of them, as fast as they come: at
        the speed of a local network they kept uvloop from all else for seconds beyond the deadline,
        and filled 130 MiB (measured). Here a flood of them ends the connection.
        """
        if self._passing and data and self._payload is not None and self._payload.is_eof():
            # nobody is owed it: the next request would take it for its own answer
            self._give_up("more than was asked for")
            return
        while data and not self._passing:
            data = self._take_head(data)
        if self._passing:
            super().data_received(data)

    def _take_head(self, data: bytes) -> bytes:
        """Return what follows an interim head, or the final one and all after it.

        Nothing while the head is not whole, and after a flood of them.
        """
        end = -1
        if not self._begun and data.startswith(_BEGINNING):  # as nearly all come: at once
            end = data.find(b"\r\n\r\n")
        if end >= 0 and data.find(b"\n\n", 0, end) < 0:
            head, rest = data[: end + 4], data[end + 4 :]
        else:
            searched = max(0, len(self._begun) - _LONGEST_END)
            self._begun += data if self._begun else data.lstrip(b"\r\n")
            found = _END.search(self._begun, searched)
            if found is None and self._is_http():
                if len(self._begun) > HEAD_LIMIT:
                    self._give_up("the head is too large")
                return b""
            end = found.end() if found else 0
            head, rest = bytes(self._begun[:end]), bytes(self._begun[end:])
        status = _status_of(head)
        if status is not None and status < 200 and status != _SWITCHING:
            self._begun.clear()
            self._interim += 1
            if self._interim > INTERIM_LIMIT:
                self._give_up("too many interim answers")
                return b""
            return rest
        self._begun.clear()
        self._passing, self._status, self._head = True, _final(status), head
        if status in _BODILESS and _announces_body(head):
            self.force_close()  # what it announces may come later, and is no answer to anything
        return _fit_to_parse(head) + rest

    def _is_http(self) -> bool:
        return _BEGINNING.startswith(bytes(self._begun[: len(_BEGINNING)]))

    def _give_up(self, reason: str) -> None:
        self.set_exception(HttpProcessingError(message=reason))
        if self.transport is not None:
            self.transport.abort()


def _status_of(head: bytes | bytearray) -> int | None:
    found = _STATUS.match(head)
    return int(found[1]) if found else None


def _final(status: int | None) -> int | None:
    return None if status is None or status < 200 else status


def _values(head: bytes, name: bytes) -> list[bytes]:
    """Return the values of all headers of a name, in lower case, given so."""
    lines = (line.partition(b":") for line in head.split(b"\n")[1:])
    return [value.strip() for key, _, value in lines if key.strip().lower() == name]


def _announces_body(head: bytes) -> bool:
    lengths = _values(head, _LENGTH)
    return any(length != b"0" for length in lengths) or bool(_values(head, b"transfer-encoding"))


def _fit_to_parse(head: bytes) -> bytes:
    """Return a head without what aiohttp refuses, and everybody else reads.

    A length that is said several times alike is said once (RFC 9110, 8.6): proxies that add their
    own make such heads. Of a status line the reason is plain ASCII: nobody reads it.
    """
    lowered = head.lower()
    at = lowered.find(_LENGTH)
    line_end = lowered.find(b"\n", at + 1)
    if at >= 0 and (lowered.find(b",", at, line_end) >= 0 or lowered.find(_LENGTH, line_end) >= 0):
        head = _with_one_length(head)
    if head.isascii():
        return head
    line, separator, rest = head.partition(b"\n")
    return line.decode("ascii", errors="replace").replace("\ufffd", "?").encode() + separator + rest


def _with_one_length(head: bytes) -> bytes:
    lengths = {part.strip() for value in _values(head, _LENGTH) for part in value.split(b",")}
    if len(lengths) != 1:
        return head
    first, *lines = head.split(b"\n")
    others = [line for line in lines if line.partition(b":")[0].strip().lower() != _LENGTH]
    return b"\n".join([first, b"Content-Length: " + lengths.pop() + b"\r", *others])
