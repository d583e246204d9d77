"""An account's API: the one GET of a JSON document, and what its answers mean."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from monitor.core.errors import DescriptorsError, NetworkError, PollError, SecretMissingError
from monitor.core.failure import FailureKind, kind_of_status
from monitor.net.answer import USABLE, Answer, Take
from monitor.net.redact import Redact, redacting, tellable
from monitor.net.retry_after import parse_retry_after
from monitor.providers.aside import read_aside

if TYPE_CHECKING:
    from monitor.net.http import HttpClient
    from monitor.net.room import Place

_KEY_REFUSED: Final = frozenset({FailureKind.UNAUTHORIZED, FailureKind.FORBIDDEN})
"""Bolna answers a bad key with either."""
_Read = TypeVar("_Read")


class Auth(NamedTuple):
    """What says who asks."""

    headers: Mapping[str, str]
    query: Mapping[str, str] = MappingProxyType({})
    """Parameters, as they are before they are percent-encoded."""
    keys: tuple[str, ...] = ()
    """What of them is secret: it may show nowhere, though some APIs tell the URL that was asked
    for."""


@dataclass(slots=True, kw_only=True, eq=False, repr=False)  # it holds the key
class Api:
    """Fetch documents with an account's key; the key is kept until it is refused."""

    client: "HttpClient"
    base_url: str
    """What the paths lie under."""
    read_auth: Callable[[], Auth]
    """Return what holds the key; raise SecretMissingError, or DescriptorsError."""
    deadline: timedelta
    """Of each request."""
    on_answer: Callable[[Answer], object] | None
    """See every answer as it came."""
    hide: Redact = field(default=str, init=False)
    """Redact the key in what is shown of an answer."""
    _auth: Auth | None = field(default=None, init=False)

    async def fetch(
        self, path: str, take: Take | None = None, *, place: "Place | None" = None
    ) -> bytes:
        """Return the body of a usable answer, a 200 or 203; anything else raises PollError.

        A refused key is read again: if it was rotated meanwhile, the poll is repeated once, within
        two deadlines of its beginning. `take` gets the body as it comes: none is returned then. A
        `place` keeps the room for it until its owner leaves.
        """
        url = self.base_url + path
        until = self._until()
        auth = self._auth or self._read_key()
        try:
            return await self._fetch(url, auth, take, place)
        except PollError as error:
            if error.kind not in _KEY_REFUSED:
                raise
            fresh = self._read_key()
            if fresh == auth:
                raise
        try:
            async with asyncio.timeout_at(until):
                return await self._fetch(url, fresh, take, place)
        except TimeoutError as error:
            raise PollError(FailureKind.TIMEOUT) from error

    async def read(self, path: str, read: Callable[[bytes, Redact], _Read]) -> _Read:
        """Return what `read` makes of a document, within two deadlines; a large one is read aside.

        It is told how to redact the key. For sources that have an `answer_limit`. Raises PollError,
        as `fetch` and `read` do.
        """
        until = self._until()
        place = self.client.place()
        try:
            document = await self.fetch(path, place=place)
            return await read_aside(partial(_hiding, read, self.hide), document, until=until)
        except PollError as error:
            if error.reason is None:
                raise
            reason = self.hide(error.reason)
            if reason.endswith("are allowed"):
                reason += " by answer_limit"
            raise error.because(reason) from error
        finally:
            place.leave()
            document = b""

    def _until(self) -> float:
        """Return when a poll that begins now is over, by the loop's clock."""
        return asyncio.get_running_loop().time() + 2 * self.deadline.total_seconds()

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()

    def _read_key(self) -> Auth:
        try:
            auth = self.read_auth()
        except SecretMissingError as error:
            raise PollError(FailureKind.KEY_MISSING) from error
        except DescriptorsError as error:
            raise PollError(FailureKind.DESCRIPTORS) from error
        self.hide = redacting(tellable(auth.keys))
        if "accept" not in map(str.lower, auth.headers):
            auth = auth._replace(headers={"Accept": "application/json", **auth.headers})
        self._auth = auth
        return auth

    async def _fetch(self, url: str, auth: Auth, take: Take | None, place: "Place | None") -> bytes:
        if auth.query:
            url += f"{'&' if '?' in url else '?'}{urlencode(auth.query, quote_via=quote)}"
        try:
            answer = await self.client.get(
                url, auth.headers, deadline=self.deadline, take=take, place=place
            )
        except NetworkError as error:
            raise PollError(FailureKind(error.kind.value), reason=error.reason) from error
        if self.on_answer is not None:
            self.on_answer(answer)
        if answer.status_code not in USABLE:
            raise _failure(answer)
        return answer.body


def _hiding(read: Callable[[bytes, Redact], _Read], hide: Redact, document: bytes) -> _Read:
    return read(document, hide)


def quote_id(batch_id: str) -> str:
    """Return the id as one path segment; refuse what would name another path, or nothing."""
    if batch_id.isascii() and batch_id.isalnum():  # nearly all: nothing to quote
        return batch_id
    try:
        segment = quote(batch_id, safe="")
    except UnicodeEncodeError as error:  # a lone surrogate
        raise PollError(FailureKind.REFUSED) from error
    if segment in {"", ".", ".."}:
        raise PollError(FailureKind.REFUSED)
    return segment


def _failure(answer: Answer) -> PollError:
    code = answer.status_code
    retry_after = None
    if (code == 429 or code >= 500) and answer.retry_after is not None:
        retry_after = parse_retry_after(answer.retry_after, at=datetime.now(UTC))
    return PollError(kind_of_status(code), code, retry_after)
