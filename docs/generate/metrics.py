"""The table of metrics, from the registry."""

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from docs.generate.regions import table
from monitor.engine.metrics import Metrics

_SUFFIXES = {"counter": "_total", "info": "_info"}


def write_metrics() -> str:
    """Write each metric as it shows at `/metrics`, with labels, type and meaning."""
    rows = [_row(collector) for collector in _collectors(Metrics().registry)]
    return table(("metric", "type", "meaning"), rows)


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
