"""What tests of facts share with those of the command line, whose store they read."""

from tests.cli.conftest import (
    bare_environment,
    bolna,
    config,
    consumer,
    database_url,
    in_force,
    monitor,
    rewrite,
    store,
)

__all__ = [
    "bare_environment",
    "bolna",
    "config",
    "consumer",
    "database_url",
    "in_force",
    "monitor",
    "rewrite",
    "store",
]
