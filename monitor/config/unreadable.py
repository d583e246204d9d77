"""Secrets that cannot be read now: missing, or not of their kind."""

from collections.abc import Iterator, Mapping

from monitor.config.schema import Config
from monitor.core.errors import DescriptorsError, SecretMissingError
from monitor.secret import Secret
from monitor.setting_types import Settings


def require_secrets(config: Config, *, source: str | None = None) -> None:
    """Raise SecretMissingError, which names them all, for secrets missing now or malformed.

    Those of one source alone, if it is named.
    """
    where = "" if source is None else f"sources.{source}."
    missing = [problem for problem in missing_secrets(config) if problem.startswith(where)]
    if missing:
        raise SecretMissingError("\n".join(missing))


def missing_secrets(config: Config) -> list[str]:
    """List the secrets that are missing now or malformed, each with its key and the reason."""
    problems = []
    for prefix, secret in _secrets(config):
        try:
            secret.read()
        except (DescriptorsError, SecretMissingError) as error:
            problems.append(f"{prefix}{error}")
    return problems


def _secrets(config: Config) -> Iterator[tuple[str, Secret]]:
    """Yield each secret with what its own name lacks of a full key."""
    yield "", config.database.url
    yield from _secrets_in("monitor.", config.monitor)
    tables: dict[str, Mapping[str, Settings]] = {
        "sources": config.sources,
        "receivers": config.receivers,
    }
    for kind, named in tables.items():
        for name, settings in named.items():
            yield from _secrets_in(f"{kind}.{name}.", settings)


def _secrets_in(prefix: str, settings: Settings) -> Iterator[tuple[str, Secret]]:
    """Yield those of a table, and of the tables of secrets within it."""
    for key, value in settings:
        inner = value.values() if isinstance(value, Mapping) else ()
        yield from ((f"{prefix}{key}.", held) for held in inner if isinstance(held, Secret))
        if isinstance(value, Secret):
            yield prefix, value
