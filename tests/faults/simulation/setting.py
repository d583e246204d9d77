"""The setting: how sources are paced and receivers tried in every day of the simulation."""

from pathlib import Path
from typing import Final

from tests.consumer import SECRET
from tests.faults.simulation.weather import HOUR, MINUTE, RECEIVERS, SOURCES

INTERVAL: Final = 10 * MINUTE
IDLE_INTERVAL: Final = 30 * MINUTE
SETTLED_INTERVAL: Final = 4 * HOUR
DEADLINE: Final = 15.0
RECEIVER_TIMEOUT: Final = 15.0
SLOTS: Final = 8
"""Requests at a time to one receiver."""
LEDGER_SCHEDULE: Final = (5.0, 5 * MINUTE, 30 * MINUTE, 4 * HOUR)
"""Waits between attempts at what the ledger refuses; the other receiver has the default."""


def write_config(folder: Path, database: Path) -> Path:
    """Write the config file."""
    sources = "".join(
        f'[sources.{name}]\nprovider = "bolna"\napi_key = "key of {name}"\n'
        f'base_url = "https://{name}.test"\n'
        for name in SOURCES
    )
    schedule = ", ".join(f'"{wait:.0f}s"' for wait in LEDGER_SCHEDULE)
    receivers = "".join(
        f'[receivers.{name}]\nkind = "webhook"\nurl = "https://{name}.test/hook"\n'
        f'secret = "{SECRET}"\ntimeout = "{RECEIVER_TIMEOUT:.0f}s"\n'
        + (f"retry_schedule = [{schedule}]\n" if name == "ledger" else "")
        + f'[[routes]]\nreceiver = "{name}"\n'
        for name in RECEIVERS
    )
    path = folder / "config.toml"
    path.write_text(
        f'[database]\nurl = "sqlite:///{database}"\n'
        f'[polling]\ninterval = "{INTERVAL:.0f}s"\nidle_interval = "{IDLE_INTERVAL:.0f}s"\n'
        f'settled_interval = "{SETTLED_INTERVAL:.0f}s"\ndeadline = "{DEADLINE:.0f}s"\n'
        f"{sources}{receivers}"
    )
    return path
