"""The names that the config knows, the ids that can be a batch's, and the errors for others."""

from collections.abc import Iterable

from monitor.config.mistakes import no_such
from monitor.core.batch_id import check_batch_id
from monitor.core.errors import UnknownNameError


def check_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise UnknownNameError for a source or receiver that the config has not."""
    if name not in known:
        raise unknown(kind, name, known)


def check_id(batch_id: str) -> None:
    """Raise UnknownNameError for a text that cannot be a batch's id."""
    if complaint := complaint_of(batch_id):
        raise UnknownNameError(f"{batch_id!r}: {complaint}")


def complaint_of(batch_id: str) -> str:
    """Write why a text cannot be a batch's id; empty if it can."""
    try:
        check_batch_id(batch_id)
    except ValueError as error:
        return str(error)
    return ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Make the error for a source or receiver that nobody knows; it names those known."""
    return UnknownNameError(no_such(kind, name, sorted(known)))
