"""The table of metrics, from the registry, and the alert rules, from their file."""

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from docs.generate.regions import PAGES, table
from monitor.engine.metrics import Metrics

ALERTS = PAGES.parent / "deploy" / "alerts.yml"

_SUFFIXES = {"counter": "_total", "info": "_info"}


def write_metrics() -> str:
    """Write each metric as it shows at `/metrics`, with labels, type and meaning."""
    rows = [_row(collector) for collector in _collectors(Metrics().registry)]
    return table(("metric", "type", "meaning"), rows)


def write_alert_rules() -> str:
    """Write the rules as they stand in deploy/, without the comment on top."""
    rules = ALERTS.read_text(encoding="utf-8")
    return f"```yaml\n{rules[rules.index('groups:') :]}```\n"


def _collectors(registry: CollectorRegistry) -> list[Collector]:
    return list(registry._collector_to_names)  # nothing public lists metrics that have no value yet


def _row(collector: Collector) -> tuple[str, str, str]:
    (metric,) = collector.collect()
    labels: tuple[str, ...] = getattr(collector, "_labelnames", ())
    if metric.type == "info":
        labels = tuple(metric.samples[0].labels)
    shown = f"{{{','.join(labels)}}}" if labels else ""
    name = f"{metric.name}{_SUFFIXES.get(metric.type, '')}{shown}"
    return f"`{name}`", metric.type, metric.documentation
