"""The `[database]` table: which URL it allows."""

from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import field_validator

from monitor.secret import Secret
from monitor.setting_types import Settings

SQLITE = "sqlite:///"
_POSTGRES = frozenset({"postgresql", "postgres"})


class Database(Settings):
    """Parse `[database]`; the URL may hold a password, so it is a secret."""

    secrets: ClassVar[tuple[str, ...]] = ("url",)

    url: Secret = Secret(name="database.url", value="sqlite:///monitor.db")
    """The database: `sqlite:///FILE` (a relative path starts in the config file's folder) or
    `postgresql://USER@HOST/NAME`."""

    @field_validator("url")
    @classmethod
    def _check(cls, url: Secret) -> Secret:
        if url.value is not None:
            check_url(url.value)
        return replace(url, name="database.url")


def check_url(url: str) -> None:
    """Raise ValueError, without the URL, for one that names no SQLite file and no Postgres."""
    if url.startswith(SQLITE):
        _check_file(url.removeprefix(SQLITE))
    elif not _is_postgres(url):
        raise ValueError(
            'must be "sqlite:///FILE" or "postgresql://USER@HOST/NAME", special characters '
            "of a password percent-encoded"
        )


def _check_file(file: str) -> None:
    if not file.isprintable() or "?" in file or file.endswith("/") or file in {"", ":memory:"}:
        raise ValueError('must name a file, such as "sqlite:///monitor.db"')


def _is_postgres(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in _POSTGRES and "://" in url and url.isprintable() and " " not in url
