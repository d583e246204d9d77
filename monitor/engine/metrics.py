"""What the engine counts, for `/metrics`; no batch ids, names or labels."""

import platform
from functools import partial
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
        self._counter = partial(Counter, registry=self.registry)
        self._gauge = partial(Gauge, registry=self.registry)
        self._histogram = partial(Histogram, registry=self.registry)
        self._info = partial(Info, registry=self.registry)
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
        self.polls = self._counter(
            "monitor_polls",
            "Polls by source and result: ok, or the kind of failure.",
            ["source", "result"],
        )
        self.poll_duration = self._histogram(
            "monitor_poll_duration_seconds",
            "Time from the start of a request to its reading or failure.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
        )
        self.poll_lag = self._histogram(
            "monitor_poll_lag_seconds",
            "Time from when a batch was due to when its poll began.",
            buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
        )
        self.source_up = self._gauge(
            "monitor_source_up", "1 while the account answers, 0 while it is failing.", ["source"]
        )
        self.batches = self._gauge(
            "monitor_batches",
            "Watched batches by source and phase; not_read before the first reading.",
            ["source", "phase"],
        )
        self.batches_stalled = self._gauge(
            "monitor_batches_stalled",
            "Watched batches that have not moved for stall_after although calls should.",
            ["source"],
        )
        self.budget_used = self._gauge(
            "monitor_budget_used_ratio",
            "Share of the source's rate_limit that this daemon used in the last minute.",
            ["source"],
        )
        self.batches_due = self._gauge(
            "monitor_batches_due",
            "Batches that are due but wait for the budget, a pause of the account or a free slot.",
            ["source"],
        )
        self.source_paused = self._gauge(
            "monitor_source_paused_seconds",
            "Time until the account may be asked again after a 429 or while it fails; 0 if now.",
            ["source"],
        )
        self.discovery_rounds = self._counter(
            "monitor_discovery_rounds",
            "Rounds of discovery by source and result: ok, or the kind of failure.",
            ["source", "result"],
        )
        self.events = self._counter("monitor_events", "Events stored by type.", ["type"])

    def _delivering(self) -> None:
        self.deliveries = self._counter(
            "monitor_deliveries",
            "Attempts by receiver and result (delivered, retry, hold); dead: deliveries given up.",
            ["receiver", "result"],
        )
        self.attempts = self._counter(
            "monitor_attempts",
            "Attempts by receiver and kind: ok, the status code, or the kind of failure.",
            ["receiver", "kind"],
        )
        self.deliveries_pending = self._gauge(
            "monitor_deliveries_pending",
            "Deliveries that are neither delivered nor dead yet.",
            ["receiver"],
        )
        self.delivery_latency = self._histogram(
            "monitor_delivery_latency_seconds",
            "Time from the reading that caused an event to the answer that accepted it.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
        )
        self.receiver_held = self._gauge(
            "monitor_receiver_held",
            "1 while the receiver is held because it failed as a whole, else 0.",
            ["receiver"],
        )

    def _running(self, instance: str) -> None:
        self.database_up = self._gauge(
            "monitor_database_up", "1 while the database takes writes, else 0."
        )
        self.writer_queue = self._gauge(
            "monitor_writer_queue", "Poll results that wait to be committed."
        )
        self.log_lines_dropped = self._counter(
            "monitor_log_lines_dropped",
            "Log lines that were dropped because nobody read standard output, or it was full.",
        )
        self.reload_successful = self._gauge(
            "monitor_config_last_reload_successful",
            "0 after a reload that was refused, else 1.",
        )
        self.reload_success_time = self._gauge(
            "monitor_config_last_reload_success_timestamp_seconds",
            "When the config in force was read, in seconds since 1970.",
        )
        build = self._info("monitor_build", "Version of the monitor and of Python.")
        build.info({"version": __version__, "python": platform.python_version()})
        # `instance` is the label by which Prometheus names what it scrapes
        named = self._info("monitor_instance", "Name of this daemon among several.")
        named.info({"name": instance})
