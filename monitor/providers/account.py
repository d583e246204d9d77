"""What the config file says of any account, whichever its provider."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator

from monitor.headers import check_header_value
from monitor.providers.api import Auth
from monitor.providers.hours import HoursSettings
from monitor.secret import Secret, rule
from monitor.setting_types import (
    CaFile,
    Interval,
    Labels,
    Patience,
    Rate,
    Settings,
    has_dot_segments,
    split_url,
)


class SharedSettings(Settings):
    """Parse what the tables of all sources share."""

    allow_http: bool = False
    """Allow `http://`: the key is then sent unencrypted."""
    allow_private: bool = False
    """Allow loopback and private addresses."""
    interval: Interval | None = None
    """Replaces `interval` of `[polling]` for the batches of this source."""
    settle_after: Interval | None = None
    """Replaces `settle_after` of `[polling]` for this source."""
    stall_after: Patience | None = None
    """Replaces `stall_after` of `[polling]` for this source. Set it longer, or to `"off"`, if
    counts do not move for hours although all is well."""
    overdue_after: Patience | None = None
    """Replaces `overdue_after` of `[polling]` for this source."""
    hours: HoursSettings | None = None
    """The hours in which calls are made, for batches whose provider does not tell. Outside these
    hours no batch becomes stalled, and batches that run, or wait after calls were dialled, are
    polled every `idle_interval`."""
    rate_limit: Rate
    """Most requests to the account: polls, pages of calls, lists of batches."""
    labels: Labels = Field(default_factory=dict)
    """Added to the events of the source and of all its batches, for matchers and readers."""
    ca_file: CaFile | None = None
    """PEM file of the certificates to trust instead of the system's."""

    @property
    def requests_per_poll(self) -> int:
        """Return how many requests a poll of a running batch takes at least."""
        return 1

    def listing(self) -> Self:
        """Return what lists the account's batches, as far as anything says how."""
        return self


class AccountSettings(SharedSettings):
    """Parse what the tables of our own providers share; each adds its name and its defaults."""

    secrets: ClassVar[tuple[str, ...]] = ("api_key",)
    known_statuses: ClassVar[tuple[str, ...]]
    """The status words of batches that we know."""

    api_key: Annotated[Secret, rule(check_header_value)]
    """The account's key; read again when the provider refuses it."""
    base_url: str
    """The address of the provider's API."""

    def read_auth(self) -> Auth:
        """Read what says who asks; raise SecretMissingError."""
        return Auth({"Authorization": f"Bearer {self.api_key.read()}"})

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str, info: ValidationInfo) -> str:
        check_url(value, allow_http=bool(info.data.get("allow_http")))
        if "?" in value:
            raise ValueError("must hold no user, password, query or fragment")
        return value.rstrip("/")


def check_url(url: str, *, allow_http: bool) -> None:
    """Raise ValueError for a URL unfit to carry a key."""
    parts = split_url(url, allow_http=allow_http, example="https://api.example.com", refused=" ")
    if "@" in parts.netloc or "#" in url:
        raise ValueError("must hold no user, password, query or fragment")
    if "\\" in url or has_dot_segments(parts.path):
        raise ValueError("must hold no backslash and no dot segments")
