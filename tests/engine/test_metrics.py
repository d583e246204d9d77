from monitor.engine.metrics import Metrics

CONTRACT = {
    "monitor_polls": ("counter", ("source", "result")),
    "monitor_poll_lag_seconds": ("histogram", ()),
    "monitor_source_up": ("gauge", ("source",)),
    "monitor_deliveries": ("counter", ("receiver", "result")),
    "monitor_deliveries_pending": ("gauge", ("receiver",)),
}


def test_the_metrics_are_those_that_are_documented_and_no_others() -> None:
    metrics = Metrics()

    found = {family.name: family.type for family in metrics.registry.collect()}

    assert found == {name: kind for name, (kind, _) in CONTRACT.items()}


def test_their_labels_are_names_of_the_file_alone() -> None:
    metrics = Metrics()
    for instrument in (metrics.polls, metrics.deliveries):
        instrument.labels("name", "ok").inc()
    for gauge in (metrics.source_up, metrics.deliveries_pending):
        gauge.labels("name").set(1)

    found = {
        family.name: tuple(sorted({key for s in family.samples for key in s.labels} - {"le"}))
        for family in metrics.registry.collect()
    }

    assert found == {name: tuple(sorted(labels)) for name, (_, labels) in CONTRACT.items()}
