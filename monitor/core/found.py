"""What was found: batches of an account that nobody registered one by one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Hold what one request for a list brought."""

    ids: tuple[str, ...] = ()
    skipped: int = 0
    """Entries that the settings leave out, or that have no usable id."""
