"""The writers: which function writes which region."""

from collections.abc import Callable
from typing import Final

from docs.generate import bodies, configuration, fields, metrics

WRITERS: Final[dict[str, Callable[[], str]]] = {
    "configuration_tables": configuration.write_tables,
    "configuration_environment": configuration.write_environment,
    "metrics": metrics.write_metrics,
    "alert_rules": metrics.write_alert_rules,
    **bodies.writers(),
    **fields.writers(),
}
