"""An account's API: the one GET of a JSON document, and what its answers mean."""

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from monitor.core.errors import FailureKind, NetworkError, PollError, SecretMissingError
from monitor.net.http import Answer, HttpClient, parse_retry_after
from monitor.secret import Secret

_KEY_REFUSED: Final = frozenset({FailureKind.UNAUTHORIZED, FailureKind.FORBIDDEN})
"""Bolna answers a bad key with either."""

_FAILURES: Final = {
    400: FailureKind.REFUSED,
    401: FailureKind.UNAUTHORIZED,
    403: FailureKind.FORBIDDEN,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TIMEOUT,
    410: FailureKind.NOT_FOUND,
    422: FailureKind.REFUSED,
    429: FailureKind.RATE_LIMITED,
}


class Api:
    """Fetch documents with an account's key; the key is kept until it is refused."""

    def __init__(
        self, client: HttpClient, *, base_url: str, api_key: Secret, deadline: timedelta
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._api_key = api_key
        self._deadline = deadline
        self._headers: dict[str, str] | None = None

    async def get(self, collection: str, batch_id: str) -> bytes:
        """Return the body of the one usable answer, a 200; anything else raises PollError.

        A refused key is read anew: if it was rotated meanwhile, the poll is repeated once, with
        a deadline of its own.
        """
        url = f"{self._base_url}/{collection}/{_segment(batch_id)}"
        headers = self._headers or self._read_key()
        try:
            return await self._fetch(url, headers)
        except PollError as error:
            if error.kind not in _KEY_REFUSED:
                raise
            fresh = self._read_key()
            if fresh == headers:
                raise
        return await self._fetch(url, fresh)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _read_key(self) -> dict[str, str]:
        try:
            key = self._api_key.read()
        except SecretMissingError as error:
            raise PollError(FailureKind.KEY_MISSING) from error
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        return self._headers

    async def _fetch(self, url: str, headers: dict[str, str]) -> bytes:
        try:
            answer = await self._client.get(url, headers, deadline=self._deadline)
        except NetworkError as error:
            raise PollError(FailureKind(error.kind.value)) from error
        if answer.status_code != 200:
            raise _failure(answer)
        return answer.body


def _segment(batch_id: str) -> str:
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
    if code == 429 and answer.retry_after is not None:
        retry_after = parse_retry_after(answer.retry_after, at=datetime.now(UTC))
    return PollError(_failure_kind(code), code, retry_after)


def _failure_kind(code: int) -> FailureKind:
    match code // 100:
        case 3:
            return FailureKind.REDIRECT
        case 5:
            return FailureKind.SERVER_ERROR
        case _:
            return _FAILURES.get(code, FailureKind.UNEXPECTED_STATUS)
