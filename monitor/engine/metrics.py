"""What the engine counts, for `/metrics`; no batch ids, names or labels."""

import platform
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)

from monitor import __version__
from monitor.core.delivery import VerdictKind
from monitor.core.errors import NetworkKind
from monitor.core.event import EventType
from monitor.core.failure import FailureKind

OK: Final = "ok"
"""The result, or kind, of what went well."""


class Metrics:
    """Own the registry and the instruments; the gauges are filled in before each scrape."""

    def __init__(self, instance: str = "monitor") -> None:
        # else there is a `…_created` for each counter, which nobody asked for
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types here
        self.registry = CollectorRegistry()
        self._polling()
        self._delivering()
        self._running(instance)
        for event in EventType:
            self.events.labels(event.value)

    def begin_source(self, name: str, *, discovers: bool) -> None:
        """Let the counters of a source exist, at 0 until they are raised.

        `increase()` sees no step in a series that is born with its first occurrence, so that one
        would alert nobody (Prometheus' "Instrumentation": avoid missing metrics).
        """
        for result in (OK, *(kind.value for kind in FailureKind)):
            self.polls.labels(name, result)
            if discovers:
                self.discovery_rounds.labels(name, result)

    def begin_receiver(self, name: str) -> None:
        """Let the counters of a receiver exist; status codes and its own words nobody foresees."""
        for result in VerdictKind:
            self.deliveries.labels(name, result.value)
        for kind in (OK, *(kind.value for kind in NetworkKind)):
            self.attempts.labels(name, kind)

    def _polling(self) -> None:
        self.polls = Counter(
            "monitor_polls",
            "Polls by source and result: ok, or the kind of failure.",
            ["source", "result"],
            registry=self.registry,
        )
        self.poll_duration = Histogram(
            "monitor_poll_duration_seconds",
            "Time from the start of a request to its reading or failure.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
            registry=self.registry,
        )
        self.poll_lag = Histogram(
            "monitor_poll_lag_seconds",
            "Time from when a batch was due to when its poll began.",
            buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
            registry=self.registry,
        )
        self.source_up = Gauge(
            "monitor_source_up",
            "1 while the account answers, 0 while it is failing.",
            ["source"],
            registry=self.registry,
        )
        self.batches = Gauge(
            "monitor_batches",
            "Watched batches by source and phase; not_read before the first reading.",
            ["source", "phase"],
            registry=self.registry,
        )
        self.batches_stalled = Gauge(
            "monitor_batches_stalled",
            "Watched batches whose calls should move and have not for stall_after.",
            ["source"],
            registry=self.registry,
        )
        self.budget_used = Gauge(
            "monitor_budget_used_ratio",
            "Share of the source's rate_limit that this daemon used in the last minute.",
            ["source"],
            registry=self.registry,
        )
        self.batches_due = Gauge(
            "monitor_batches_due",
            "Batches that are due and wait: for the budget, a pause of the account, a free slot.",
            ["source"],
            registry=self.registry,
        )
        self.source_paused = Gauge(
            "monitor_source_paused_seconds",
            "Time until the account may be asked again after a 429 or while it fails; 0 if now.",
            ["source"],
            registry=self.registry,
        )
        self.discovery_rounds = Counter(
            "monitor_discovery_rounds",
            "Looks for new batches by source and result: ok, or the kind of failure.",
            ["source", "result"],
            registry=self.registry,
        )
        self.events = Counter(
            "monitor_events",
            "Events stored by type.",
            ["type"],
            registry=self.registry,
        )

    def _delivering(self) -> None:
        self.deliveries = Counter(
            "monitor_deliveries",
            "Attempts by receiver and result: delivered, retry or hold; dead: deliveries given up.",
            ["receiver", "result"],
            registry=self.registry,
        )
        self.attempts = Counter(
            "monitor_attempts",
            "Attempts by receiver and kind: ok, the status code, or the kind of failure.",
            ["receiver", "kind"],
            registry=self.registry,
        )
        self.deliveries_pending = Gauge(
            "monitor_deliveries_pending",
            "Deliveries owed and not yet delivered or dead.",
            ["receiver"],
            registry=self.registry,
        )
        self.delivery_latency = Histogram(
            "monitor_delivery_latency_seconds",
            "Time from the reading that caused an event to the answer that accepted it.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
            registry=self.registry,
        )
        self.receiver_held = Gauge(
            "monitor_receiver_held",
            "1 while the receiver is held because it failed as a whole, else 0.",
            ["receiver"],
            registry=self.registry,
        )

    def _running(self, instance: str) -> None:
        self.database_up = Gauge(
            "monitor_database_up",
            "1 while the database takes writes, else 0.",
            registry=self.registry,
        )
        self.writer_queue = Gauge(
            "monitor_writer_queue",
            "Poll results that wait to be committed.",
            registry=self.registry,
        )
        self.log_lines_dropped = Counter(
            "monitor_log_lines_dropped",
            "Lines of the log that were not written: nobody read standard output, or it was full.",
            registry=self.registry,
        )
        self.reload_successful = Gauge(
            "monitor_config_last_reload_successful",
            "1 when the config file in force is the last one asked for, 0 when that was refused.",
            registry=self.registry,
        )
        self.reload_success_time = Gauge(
            "monitor_config_last_reload_success_timestamp_seconds",
            "When the config in force was read, in seconds since 1970.",
            registry=self.registry,
        )
        build = Info(
            "monitor_build", "Version of the monitor and of Python.", registry=self.registry
        )
        build.info({"version": __version__, "python": platform.python_version()})
        # `instance` is the label by which Prometheus names what it scrapes
        named = Info(
            "monitor_instance", "Name of this daemon among several.", registry=self.registry
        )
        named.info({"name": instance})
