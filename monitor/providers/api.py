"""An account's API: the one GET of a JSON document, and what its answers mean."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from monitor.core.errors import DescriptorsError, NetworkError, PollError, SecretMissingError
from monitor.core.failure import FailureKind, kind_of_status
from monitor.net.answer import USABLE, Answer, Take
from monitor.net.retry_after import parse_retry_after

if TYPE_CHECKING:
    from monitor.net.http import HttpClient

_KEY_REFUSED: Final = frozenset({FailureKind.UNAUTHORIZED, FailureKind.FORBIDDEN})
"""Bolna answers a bad key with either."""


@dataclass(slots=True, kw_only=True, eq=False, repr=False)  # it holds the key
class Api:
    """Fetch documents with an account's key; the key is kept until it is refused."""

    client: "HttpClient"
    base_url: str
    """What the paths lie under."""
    read_auth: Callable[[], dict[str, str]]
    """Return the headers that hold the key; raise SecretMissingError, or DescriptorsError."""
    deadline: timedelta
    """Of each request."""
    on_answer: Callable[[Answer], object] | None
    """See every answer as it came."""
    _headers: dict[str, str] | None = field(default=None, init=False)

    async def fetch(self, path: str, take: Take | None = None) -> bytes:
        """Return the body of a usable answer, a 200 or 203; anything else raises PollError.

        A refused key is read again: if it was rotated meanwhile, the poll is repeated once, with
        a deadline of its own. `take` gets the body as it comes: none is returned then.
        """
        url = self.base_url + path
        headers = self._headers or self._read_key()
        try:
            return await self._fetch(url, headers, take)
        except PollError as error:
            if error.kind not in _KEY_REFUSED:
                raise
            fresh = self._read_key()
            if fresh == headers:
                raise
        return await self._fetch(url, fresh, take)

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()

    def _read_key(self) -> dict[str, str]:
        try:
            auth = self.read_auth()
        except SecretMissingError as error:
            raise PollError(FailureKind.KEY_MISSING) from error
        except DescriptorsError as error:
            raise PollError(FailureKind.DESCRIPTORS) from error
        accepts = "accept" in map(str.lower, auth)
        self._headers = auth if accepts else {"Accept": "application/json"} | auth
        return self._headers

    async def _fetch(self, url: str, headers: dict[str, str], take: Take | None) -> bytes:
        try:
            answer = await self.client.get(url, headers, deadline=self.deadline, take=take)
        except NetworkError as error:
            raise PollError(FailureKind(error.kind.value), reason=error.reason) from error
        if self.on_answer is not None:
            self.on_answer(answer)
        if answer.status_code not in USABLE:
            raise _failure(answer)
        return answer.body


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
