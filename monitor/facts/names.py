"""The names that the config knows, and the error for any other."""

from collections.abc import Iterable

from monitor.config.mistakes import suggest
from monitor.core.errors import UnknownNameError


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Make the error for a source or receiver that nobody knows; it names those known."""
    names = sorted(known)
    there_are = f"there are: {', '.join(names)}" if names else f"the config has no {kind}s"
    return UnknownNameError(f"there is no {kind} {name!r}{suggest(name, names)}; {there_are}")
