"""What was found: batches of an account that nobody registered one by one."""

from dataclasses import dataclass

from monitor.core.errors import PollError


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryAnswer:
    """What one request for a list brought."""

    ids: tuple[str, ...] = ()
    skipped: int = 0
    """Entries that the settings leave out, or that have no usable id."""
    agent: str | None = None
    """Whose list it is, where each agent has one of its own."""
    failure: PollError | None = None
    """Why it brought nothing; if it is an agent's list, others of the account may well come."""
