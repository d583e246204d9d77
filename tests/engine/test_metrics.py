import re
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.openmetrics.exposition import generate_latest as write_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from monitor.engine.metrics import Metrics

CONTRACT = {
    "monitor_polls": ("counter", ("source", "result")),
    "monitor_poll_lag_seconds": ("histogram", ()),
    "monitor_poll_duration_seconds": ("histogram", ()),
    "monitor_source_up": ("gauge", ("source",)),
    "monitor_batches": ("gauge", ("source", "phase")),
    "monitor_batches_stalled": ("gauge", ("source",)),
    "monitor_budget_used_ratio": ("gauge", ("source",)),
    "monitor_batches_due": ("gauge", ("source",)),
    "monitor_source_paused_seconds": ("gauge", ("source",)),
    "monitor_discovery_rounds": ("counter", ("source", "result")),
    "monitor_events": ("counter", ("type",)),
    "monitor_deliveries": ("counter", ("receiver", "result")),
    "monitor_deliveries_pending": ("gauge", ("receiver",)),
    "monitor_delivery_latency_seconds": ("histogram", ()),
    "monitor_attempts": ("counter", ("receiver", "kind")),
    "monitor_receiver_held": ("gauge", ("receiver",)),
    "monitor_database_up": ("gauge", ()),
    "monitor_writer_queue": ("gauge", ()),
    "monitor_log_lines_dropped": ("counter", ()),
    "monitor_config_last_reload_successful": ("gauge", ()),
    "monitor_config_last_reload_success_timestamp_seconds": ("gauge", ()),
    "monitor_build": ("info", ("version", "python")),
    "monitor_instance": ("info", ("name",)),
}
"""Users' dashboards depend on each of them: type and labels."""


def test_the_metrics_are_those_that_are_promised_and_no_others() -> None:
    metrics = Metrics()

    found = {family.name: family.type for family in metrics.registry.collect()}

    assert found == {name: kind for name, (kind, _) in CONTRACT.items()}


def filled() -> CollectorRegistry:
    """Return the registry with a sample of each kind."""
    metrics = Metrics()
    for counter in (metrics.polls, metrics.deliveries, metrics.attempts):
        counter.labels("name", "ok").inc()
    metrics.events.labels("batch.first_seen").inc()
    metrics.poll_lag.observe(0.3)
    return metrics.registry


def test_the_strict_parser_of_openmetrics_finds_nothing_to_complain_of() -> None:
    """It knows the rules: suffixes, buckets in order and with an end, no series twice."""
    registry = filled()

    text = write_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    strict = list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]

    assert {family.name for family in strict} == set(CONTRACT)
    assert samples(strict) == samples(registry.collect())


def test_what_is_scraped_reads_back_as_it_was_counted() -> None:
    registry = filled()

    scraped = text_string_to_metric_families(generate_latest(registry).decode())

    assert samples(scraped) == samples(registry.collect())


def samples(families: Iterable[Metric]) -> set[tuple[str, frozenset[tuple[str, str]], float]]:
    return {
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in families
        for sample in family.samples
    }


def test_each_metric_has_help_and_counts_in_base_units() -> None:
    """As `promtool check metrics` asks for."""
    for family in filled().collect():
        assert family.documentation
        assert not re.search(r"milli|_ms|minute|hour|kib|mib|percent", family.name)
        assert family.name.endswith("_seconds") or family.type not in ("histogram", "summary")
