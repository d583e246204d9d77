"""What the config file says of any account, whichever its provider."""

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from monitor.secret import Secret
from monitor.settings import CaFile, Duration, Labels, Rate, Settings


class AccountSettings(Settings):
    """Parse what the tables of all sources share; a provider adds its name and its defaults."""

    secrets: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: Secret
    """The account's key; read anew when the provider refuses it."""
    allow_http: bool = False
    """Allow `http://` in `base_url`: the key then travels readable."""
    allow_private: bool = False
    """Allow loopback and private addresses."""
    base_url: str  # after allow_http, which its check asks for
    """Where the provider's API is."""
    interval: Duration | None = None
    """Instead of `[polling]` `interval`, for the batches of this source."""
    rate_limit: Rate
    """Polls that the account may spend at most."""
    labels: Labels = Field(default_factory=dict)
    """Go with the events of all its batches and with its own, for matchers and readers."""
    ca_file: CaFile | None = None
    """PEM file of certificates to trust instead of the system's."""

    @field_validator("api_key")
    @classmethod
    def _check_api_key(cls, value: Secret) -> Secret:
        return value.checked_by(_check_key)

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str, info: ValidationInfo) -> str:
        return check_base_url(value, allow_http=bool(info.data.get("allow_http")))


def _check_key(key: str) -> None:
    """Raise ValueError, which never shows it, for what no header can carry."""
    if not key.isascii() or not key.isprintable():
        raise ValueError("must be ASCII text on one line, without control characters")


def check_base_url(url: str, *, allow_http: bool) -> str:
    """Return the URL without its trailing slash; raise ValueError for one unfit to carry a key."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError('must be a URL such as "https://api.example.com"')
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http):
        raise ValueError('must start with "https://" ("http://" needs allow_http = true)')
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("must hold no user, password, query or fragment")
    if "\\" in url or any(segment in {".", ".."} for segment in parts.path.split("/")):
        raise ValueError("must hold no backslash and no dot segments")
    return url.rstrip("/")
