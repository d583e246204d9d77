"""Environment: the variables that override the file, and this instance's name."""

import re
import socket
from collections.abc import Mapping
from typing import Any, Final

from monitor.config.lines import KeyPath
from monitor.config.schema import INSTANCE
from monitor.secret import twins_of

OVERRIDES: Final[dict[str, tuple[str, str]]] = {
    "MONITOR_DATABASE_URL": ("database", "url"),
    "MONITOR_LISTEN": ("server", "listen"),
    "MONITOR_LOG_LEVEL": ("monitor", "log_level"),
    "MONITOR_LOG_FORMAT": ("monitor", "log_format"),
}


def override(
    file: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Return the file with the variables' values, and which variable gave which key.

    An empty variable counts as not set, as in unit files and compose files.
    """
    merged, variables = dict(file), dict[KeyPath, str]()
    for variable, (table, key) in OVERRIDES.items():
        value = environ.get(variable, "").strip()
        found = merged.get(table, {})
        if value and isinstance(found, dict):
            others = {name: kept for name, kept in found.items() if name not in twins_of(key)}
            merged[table] = {**others, key: value}
            variables[table, key] = variable
    return merged, variables


def instance_name(environ: Mapping[str, str]) -> str:
    """Return MONITOR_INSTANCE, else the host's name; raises ValueError for a bad one."""
    given = environ.get("MONITOR_INSTANCE", "").strip()
    if not given:
        host = re.sub(r"[^a-z0-9._-]", "-", socket.gethostname().lower()).lstrip("._-")
        return host[:63] or "monitor"
    if not INSTANCE.fullmatch(given):
        raise ValueError(
            "must be a name of a-z, 0-9, dots, _ and -, a letter or digit first, "
            "at most 63 characters"
        )
    return given
