"""What the config file says of an API that it describes itself: URL, keys, expressions, words."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails

from monitor.core.batch import STATUS_LIMIT, Outcome, Phase, normalise
from monitor.headers import Headers, Query, check_header_value
from monitor.providers.account import SharedSettings, check_url
from monitor.providers.api import Auth
from monitor.providers.document import VALUES_LIMIT
from monitor.providers.expression import Expression, JmesPath
from monitor.providers.generic_list import DiscoverByConfig, GenericDiscoverySettings, Next
from monitor.secret import Secret
from monitor.setting_types import MIB, Rate, Settings, Size, parse_size, size_between

ID: Final = "{id}"
_KEY_LENGTH: Final = 16
"""In characters: shorter ones are mostly no keys."""

PHASES: Final[Mapping[str, tuple[Phase, Outcome | None]]] = {
    "pending": (Phase.PENDING, None),
    "running": (Phase.RUNNING, None),
    "paused": (Phase.PAUSED, None),
    "completed": (Phase.ENDED, Outcome.COMPLETED),
    "failed": (Phase.ENDED, Outcome.FAILED),
    "cancelled": (Phase.ENDED, Outcome.CANCELLED),
}
"""What a word means that stands under a key."""


def _check_word(word: str) -> str:
    if not word.strip() or not word.isprintable() or len(word.encode()) > STATUS_LIMIT:
        raise ValueError(f"must be a status word: printable, at most {STATUS_LIMIT} bytes")
    return word


Words = tuple[Annotated[str, AfterValidator(_check_word)], ...]


class GenericSettings(SharedSettings):
    """Parse the table of an account at any JSON API."""

    secrets: ClassVar[tuple[str, ...]] = ("bearer", "username", "password")
    base_url: ClassVar[str] = ""  # `url` is a whole one

    provider: Literal["generic"]
    """Any API that answers a GET for one batch with JSON."""
    rate_limit: Rate = 60 / 60
    """Most requests to the account; a poll takes one."""
    url: str
    """The URL of one batch, with `{id}` once in its path or query in place of the batch's id."""
    headers: Headers = Field(default_factory=dict)
    """Headers to send with every request, such as keys or versions; `NAME_env` and `NAME_file` read
    a value from a variable or file. At most 32; `host`, `content-*` and the like are set by the
    monitor."""
    query: Query = Field(default_factory=dict)
    """Parameters to add to the query of every request, for APIs that take their key there;
    `NAME_env` and `NAME_file` read a value from a variable or file. At most 32."""
    bearer: Secret | None = None
    """The key, if the API takes it as `Authorization: Bearer`; read again when the provider refuses
    it."""
    username: Secret | None = None
    """The user of Basic authentication."""
    password: Secret | None = None
    """The password of Basic authentication; empty if not set."""
    answer_limit: Annotated[Size, size_between("64KiB", "16MiB")] = parse_size("1MiB")
    """The largest answer that is read, for a batch or a page of `discover`, with 50,000 values for
    each MiB. See [large answers](operations.md#large-answers)."""
    discover: DiscoverByConfig = None
    """Find the account's batches and watch them: a [table](#sourcesnamediscover-with-generic) that
    says where their list is and how to read it."""
    id: JmesPath | None = None
    """[Expression](#expressions): the batch's id in the answer; the poll fails if there is another
    id or none. Of a resource name such as `batches/ID`, or of an ARN, only the last segment is
    compared."""
    status: JmesPath
    """[Expression](#expressions): the batch's status word, found or computed."""
    counts: JmesPath | None = None
    """[Expression](#expressions): an object with the number of calls by call status, or an array
    with the status of each call. Without it the monitor cannot see calls move: there is no
    progress, and no batch becomes stalled."""
    total: JmesPath | None = None
    """[Expression](#expressions): how many contacts there are."""
    valid: JmesPath | None = None
    """[Expression](#expressions): how many of the contacts can be called; progress is measured
    against this number."""
    name: JmesPath | None = None
    """[Expression](#expressions): the batch's name."""
    scheduled_at: JmesPath | None = None
    """[Expression](#expressions): when the batch is scheduled to start: ISO 8601, or seconds or
    milliseconds since 1970. A text that is not a time counts as none."""
    pending: Words = ()
    """Status words of a batch that has not begun. Case, `-`, `_` and spaces do not matter when
    words are compared. A word in none of these lists is reported as unknown."""
    running: Words = ()
    """Status words of a batch that makes calls."""
    paused: Words = ()
    """Status words of a batch that somebody paused."""
    completed: Words
    """Status words of a batch that has completed."""
    failed: Words = ()
    """Status words of a batch that has ended with an error."""
    cancelled: Words = ()
    """Status words of a batch that somebody cancelled."""
    final_calls: Annotated[Words, Field(validate_default=True)] = ()
    """The call statuses in `counts` of calls that are over; all other calls are open. Required with
    `counts`."""
    parked_calls: Words = ()
    """The call statuses in `counts` of calls that wait for a planned later time; a batch whose open
    calls all wait so does not become stalled."""
    rest_calls: Annotated[str, AfterValidator(_check_word)] | None = None
    """For APIs that count only some of the calls: the calls missing from `counts`, up to `valid` or
    else `total`, are shown as open calls of this status until the batch has ended."""

    @property
    def values_limit(self) -> int:
        """Return how many values an answer may hold."""
        return max(VALUES_LIMIT, VALUES_LIMIT * self.answer_limit // MIB)

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        """Yield each expression with its key, those of `discover` too."""
        yield from _expressions(self)
        if self.discover is not None:
            for key, expression in _expressions(self.discover):
                yield f"discover.{key}", expression

    def read_auth(self) -> Auth:
        """Read what says who asks; raise SecretMissingError."""
        headers = {name: value.read() for name, value in self.headers.items()}
        query = {name: value.read() for name, value in self.query.items()}
        keys = [value.read() for value in self.held_secrets() if self._is_key(value)]
        if self.bearer is not None:
            headers["Authorization"] = f"Bearer {self.bearer.read()}"
        if self.username is not None:
            password = "" if self.password is None else self.password.read()
            pair = f"{self.username.read()}:{password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return Auth(headers, query, tuple(keys))

    def _is_key(self, value: Secret) -> bool:
        """Return whether it is secret: what stands in the file may well be a region or a format."""
        return (
            value.value is None
            or value in (self.bearer, self.password)
            or (len(value.value) >= _KEY_LENGTH and not value.name.lower().startswith("accept"))
        )

    def held_secrets(self) -> list[Secret]:
        """List the secrets of this table, those of headers and query too."""
        return [*super().held_secrets(), *self.headers.values(), *self.query.values()]

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str, info: ValidationInfo) -> str:
        check_url(value.replace(ID, "id"), allow_http=bool(info.data.get("allow_http")))
        outside = value.replace(ID, "", 1)
        if ID not in value or "{" in outside or "}" in outside or ID in urlsplit(value).netloc:
            raise ValueError('must hold "{id}" once, in its path or query, and no other braces')
        return value

    @field_validator("query")
    @classmethod
    def _check_query(cls, value: dict[str, Secret], info: ValidationInfo) -> dict[str, Secret]:
        _check_once(value, info.data.get("url", ""))
        return value

    @field_validator("discover")
    @classmethod
    def _check_discover(
        cls, value: GenericDiscoverySettings | None, info: ValidationInfo
    ) -> GenericDiscoverySettings | None:
        """Refuse a list elsewhere: the key goes nowhere but where its batches are read."""
        if value is None or "url" not in info.data:
            return value
        query = info.data.get("query", {})
        with _naming("url"):
            check_url(value.url, allow_http=bool(info.data.get("allow_http")))
            if (origin := _origin(info.data["url"])) != _origin(value.url):
                raise ValueError(f"must begin with {origin}, as that of the source does")
            _check_once(query, value.url)
        with _naming("next"):
            if value.next is not None and value.next.parameter in query:
                raise ValueError(f"{value.next.parameter!r} is in query already: give it once")
        return value

    @field_validator("bearer", "username")
    @classmethod
    def _check_asker(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if value is None:
            return None
        if "authorization" in map(str.lower, info.data.get("headers", ())):
            raise ValueError("headers say already who asks: give one of the two")
        if info.data.get("bearer") is not None:
            raise ValueError("bearer says already who asks: give one of the two")
        return value.checked_by(_check_key if info.field_name == "bearer" else _check_user)

    @field_validator("password")
    @classmethod
    def _check_password(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if value is not None and info.data.get("username", value) is None:
            raise ValueError("needs a username")
        return value

    @field_validator(*PHASES)
    @classmethod
    def _check_phase(cls, value: Words, info: ValidationInfo) -> Words:
        _check_new(value, {key: info.data.get(key, ()) for key in PHASES})
        if info.field_name == "completed" and not value:
            raise ValueError("must name a word: else no batch would ever end")
        return value

    @field_validator("final_calls", "parked_calls", "rest_calls")
    @classmethod
    def _check_calls(cls, value: Any, info: ValidationInfo) -> Any:
        words = (value,) if isinstance(value, str) else value or ()
        if words and "counts" in info.data and info.data["counts"] is None:
            raise ValueError("says nothing without counts")
        if info.field_name == "final_calls" and info.data.get("counts") and not words:
            raise ValueError("is missing: which call statuses in counts are of calls that are over")
        _check_new(words, {"final_calls": info.data.get("final_calls", ())})
        return value


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Let a mistake be that of a key of the table within."""
    try:
        yield
    except ValueError as error:
        found = InitErrorDetails(type="value_error", loc=(key,), input=None, ctx={"error": error})
        raise ValidationError.from_exception_data("discover", [found]) from None


def _expressions(table: Settings) -> Iterator[tuple[str, Expression]]:
    for key, value in table:
        found = value.value if isinstance(value, Next) else value
        if isinstance(found, Expression):
            yield key, found


def _check_once(query: Mapping[str, Secret], url: str) -> None:
    for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name in query:
            raise ValueError(f"{name!r} is in both url and query: give it once")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _check_key(key: str) -> None:
    check_header_value(key)
    if key.lower().startswith("bearer "):
        raise ValueError('must be the key alone: "Bearer " is put before it')


def _check_user(name: str) -> None:
    if ":" in name:
        raise ValueError("must hold no colon: Basic authentication knows none")


def _check_new(words: Iterable[str], others: Mapping[str, Words]) -> None:
    """Raise ValueError for a word that is there already, in another list or in this one."""
    taken = {normalise(word): f"in {key}" for key, found in others.items() for word in found}
    for word in words:
        if (place := taken.get(normalise(word))) is not None:
            raise ValueError(f"{word!r} is {place} already")
        taken[normalise(word)] = "here"
