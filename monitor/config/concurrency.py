"""Concurrency: how many polls may be under way, by the config and by this process's open files."""

from typing import Final

from monitor import descriptors
from monitor.config.schema import Config

_OWN: Final = 64
"""Open whatever the config says: database, port, log, and what reads them."""


def files_needed(config: Config) -> int:
    """Return how many files a daemon may have open at once.

    Each source keeps the connections of its last polls warm: up to as many as it had under way.
    """
    return config.polling.concurrency * max(1, len(config.sources)) + _others(config)


def polls_at_once(config: Config) -> int:
    """Return how many polls may be under way: no more than leave receivers and database theirs."""
    room = (descriptors.limit() - _others(config)) // max(1, len(config.sources))
    return max(1, min(config.polling.concurrency, room))


def _others(config: Config) -> int:
    return _OWN + sum(receiver.slots for receiver in config.receivers.values())
