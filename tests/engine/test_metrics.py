import shutil
import subprocess

import pytest
from prometheus_client import generate_latest

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


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_complain_of() -> None:
    metrics = Metrics()
    for counter in (metrics.polls, metrics.deliveries, metrics.attempts):
        counter.labels("name", "ok").inc()
    metrics.events.labels("batch.first_seen").inc()

    checked = subprocess.run(  # noqa: S603
        [shutil.which("promtool") or "", "check", "metrics"],
        input=generate_latest(metrics.registry),
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
