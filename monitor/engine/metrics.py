"""What the engine counts, for `/metrics`; no batch ids, names or labels."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)


class Metrics:
    """Own the registry and the instruments."""

    def __init__(self) -> None:
        # else there is a `…_created` for each counter, which nobody asked for
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types here
        self.registry = CollectorRegistry()
        self.polls = Counter(
            "monitor_polls",
            "Polls by source and result: ok, or the kind of failure.",
            ["source", "result"],
            registry=self.registry,
        )
        self.poll_lag = Histogram(
            "monitor_poll_lag_seconds",
            "Time from when a batch was due to when it was claimed.",
            buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
            registry=self.registry,
        )
        self.source_up = Gauge(
            "monitor_source_up",
            "1 while the account answers, 0 while it is failing.",
            ["source"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "monitor_deliveries",
            "Attempts by receiver and result: delivered, retry, hold or dead.",
            ["receiver", "result"],
            registry=self.registry,
        )
        self.deliveries_pending = Gauge(
            "monitor_deliveries_pending",
            "Deliveries owed and not yet delivered or dead.",
            ["receiver"],
            registry=self.registry,
        )
