import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config.load import load
from monitor.config.warnings import (
    warnings_at_work,
    warnings_of,
)
from monitor.core.event import EventType

Write = Callable[[str], Path]

HEARD = '[[routes]]\nreceiver = "ops"\n'
OPS = "[receivers.ops]\nkind = 'slack'\nwebhook_url = 'https://hooks.slack.com/services/x'\n"
SOURCE = "[sources.x]\nprovider = 'bolna'\napi_key = 'k'\n"
VOGENT = SOURCE.replace("bolna", "vogent")
LABELLED = f"{SOURCE}labels = {{ team = 'collections' }}\n"


def warnings_in(path: Path) -> list[str]:
    return warnings_of(load(path))


def silent_with(write: Write, *matchers: str, source: str = SOURCE) -> set[str]:
    """Return the event types that a single route with these matchers leaves unheard."""
    path = write(f"{source}{OPS}{HEARD}matchers = {list(matchers)}\n")
    warnings = [line for line in warnings_in(path) if not line.startswith("routes[0]: ")]
    assert len(warnings) <= 1
    text = "".join(warnings).removeprefix("no route can match ")
    return set(text.partition(":")[0].split(", ")) - {""}


BATCH_TYPES = {kind.value for kind in EventType if kind.value.startswith("batch.")}
SOURCE_TYPES = {kind.value for kind in EventType if kind.value.startswith("source.")}


def test_a_config_that_hears_everything_has_no_warnings(write: Write) -> None:
    assert warnings_in(write(SOURCE + OPS + HEARD)) == []


def test_without_routes_every_type_but_the_test_is_silent(write: Write) -> None:
    deaf = "there are no routes, so no event goes anywhere:"

    assert warnings_in(write(SOURCE)) == [
        f"{deaf} add a [receivers.NAME] table, and a [[routes]] table that leads to it"
    ]
    assert warnings_in(write(SOURCE + OPS)) == [
        f"{deaf} give each receiver a [[routes]] table",
        "receivers.ops: no route leads to it",
    ]


@pytest.mark.parametrize(
    ("matchers", "silent"),
    [
        (["type = batch.completed"], (BATCH_TYPES | SOURCE_TYPES) - {"batch.completed"}),
        (["type != batch.completed"], {"batch.completed"}),
        (['type =~ "batch.+"'], SOURCE_TYPES),
        # counts_changed is one of those that the docs advise to leave out
        (['type =~ "batch.+"', "type !~ .+changed"], SOURCE_TYPES | {"batch.status_changed"}),
        (["outcome = failed", "phase =~ r.+", "name != y"], SOURCE_TYPES),
    ],
)  # fmt: skip
def test_a_batch_event_is_silent_when_no_type_matcher_lets_it_pass(
    write: Write, matchers: list[str], silent: set[str]
) -> None:
    assert silent_with(write, *matchers) == silent


@pytest.mark.parametrize(
    "matcher",
    [
        "team = collections",
        "env =~ .+",
        "status = queued",
        "provider = vogent",
        "provider != bolna",
    ],
)
def test_a_source_event_is_silent_when_no_source_has_what_a_matcher_wants(
    write: Write, matcher: str
) -> None:
    assert silent_with(write, matcher) == SOURCE_TYPES


@pytest.mark.parametrize(
    "matchers",
    [
        ["team = collections"],
        ["team != sales", "phase != ended"],
        ['env = ""'],
        ['env =~ "prod|"'],
        ["env !~ prod"],
        ["source = x", "provider =~ bol.+"],
    ],
)
def test_a_source_event_is_heard_by_its_labels_and_by_what_holds_on_missing_names(
    write: Write, matchers: list[str]
) -> None:
    assert silent_with(write, *matchers, source=LABELLED) == set()


def test_one_source_with_the_label_is_enough(write: Write) -> None:
    other = "[sources.y]\nprovider = 'vogent'\napi_key = 'k'\n"

    assert silent_with(write, "team = collections", source=other + LABELLED) == set()


def test_without_sources_there_are_no_source_events_to_miss(write: Write) -> None:
    path = write(f"{OPS}{HEARD}matchers = ['team = collections']\n")

    assert warnings_in(path) == [
        "there are no sources, so nothing can be watched: give each account a [sources.NAME] table"
    ]


def test_two_routes_together_may_hear_everything(write: Write) -> None:
    path = write(
        LABELLED
        + OPS
        + HEARD
        + "matchers = ['team = collections']\n"
        + HEARD
        + r"""matchers = ['type =~ "(source|receiver)\..+"']"""
    )

    assert warnings_in(path) == []


def test_a_receiver_without_a_route_is_named(write: Write) -> None:
    spare = OPS.replace("ops", "spare")

    assert warnings_in(write(SOURCE + OPS + spare + HEARD)) == [
        "receivers.spare: no route leads to it"
    ]


def batches(count: int) -> str:
    return "".join(f"[[batches]]\nsource = 'x'\nid = 'b{number}'\n" for number in range(count))


@pytest.mark.parametrize(
    ("count", "settings", "warning"),
    [
        (1000, "", "1,000 batches at 30s need 2000/min, budget 1000/min"),
        (501, "", "501 batches at 30s need 1002/min, budget 1000/min"),
        (500, "", None),
        (12, "interval = '1m30s'\nrate_limit = '8/min'", None),
        (13, "interval = '1m30s'\nrate_limit = '8/min'", "13 batches at 1m30s need 8.7/min, "
                                                         "budget 8/min"),
        (1, "interval = '10m'\nrate_limit = '6/h'", None),
        (1, "interval = '500ms'\nrate_limit = '1/s'", "1 batch at 500ms needs 120/min, "
                                                      "budget 60/min"),
        (1, "rate_limit = '5/h'", "1 batch at 30s needs 2/min, budget 0.083/min"),
    ],
)  # fmt: skip
def test_more_polls_than_the_budget_allows_are_counted(
    write: Write, count: int, settings: str, warning: str | None
) -> None:
    expected = [] if warning is None else [f"sources.x: {warning}"]

    assert warnings_in(write(f"{SOURCE}{settings}\n{batches(count)}{OPS}{HEARD}")) == expected


@pytest.mark.parametrize(
    ("counts", "warning"),
    [
        ("full", "100 batches at 30s need 600/min (3 requests a poll, by counts), budget 300/min"),
        ("queue", "100 batches at 30s need 400/min (2 requests a poll, by counts), budget 300/min"),
        ("off", None),
    ],
)
def test_every_request_of_a_poll_of_vogent_counts(
    write: Write, counts: str, warning: str | None
) -> None:
    source = f"{VOGENT}counts = '{counts}'\n"
    expected = [] if warning is None else [f"sources.x: {warning}"]

    assert warnings_in(write(f"{source}{batches(100)}{OPS}{HEARD}")) == expected


@pytest.mark.parametrize(
    ("settings", "stall_after", "said"),
    [
        ("", "20s", "20s is no longer than polling.interval, 30s"),
        ("interval = '1h'\n", "15m", "15m is no longer than sources.x.interval, 1h"),
        ("interval = '10s'\n", "20s", None),
        ("", "31s", None),
    ],
)
def test_a_stall_that_one_quiet_poll_makes_is_warned_of(
    write: Write, settings: str, stall_after: str, said: str | None
) -> None:
    polling = f"[polling]\nstall_after = '{stall_after}'\n"
    more = ": it takes extra polls, and one quiet poll makes a batch stalled"
    expected = [] if said is None else [f"polling.stall_after: {said}{more}"]

    found = warnings_in(write(f"{SOURCE}{settings}{OPS}{HEARD}{polling}"))
    assert [warning for warning in found if "settle_after" not in warning] == expected


def test_an_end_that_one_quiet_poll_makes_is_warned_of(write: Write) -> None:
    settings = "interval = '1m'\nsettle_after = '10s'\n"

    assert warnings_in(write(f"{SOURCE}{settings}{OPS}{HEARD}")) == [
        "sources.x.settle_after: 10s is no longer than sources.x.interval, 1m: one quiet poll"
        " ends a batch whose calls are open"
    ]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("stall_after = '20s'", "sources.x.stall_after: 20s is no longer than polling.interval"),
        ("stall_after = 'off'", None),
        ("overdue_after = '10m'", "sources.x.overdue_after: 10m is no longer than the 10m"),
        ("overdue_after = 'off'", None),
    ],
)
def test_a_source_is_warned_of_by_its_own_limits(write: Write, own: str, said: str | None) -> None:
    polling = "[polling]\nstall_after = '1m'\noverdue_after = '1h'\n"
    warnings = warnings_in(write(f"{SOURCE}{own}\n{OPS}{HEARD}{polling}"))

    assert [warning[: len(said or "")] for warning in warnings] == ([said] if said else [])


@pytest.mark.parametrize(("source", "warned"), [(SOURCE, True), (VOGENT, False)])
def test_starts_that_bolna_rounds_up_are_no_reason_to_tell_them_as_overdue(
    write: Write, source: str, warned: bool
) -> None:
    warnings = warnings_in(write(f"{source}{OPS}{HEARD}[polling]\noverdue_after = '10m'\n"))

    expected = (
        "polling.overdue_after: 10m is no longer than the 10m to which Bolna rounds starts up: "
        "batches of x may be told as overdue that are on time"
    )
    assert warnings == ([expected] if warned else [])


@pytest.mark.parametrize(
    ("source", "discover", "said"),
    [
        (VOGENT, "{ statuses = ['active', 'PAUSED'] }", None),
        (VOGENT, "true", None),
        (
            VOGENT,
            "{ statuses = ['ACTIV', 'PAUSED'] }",
            "'ACTIV' is no status that we know of vogent: INIT, ACTIVE, PAUSED, COMPLETE, "
            "CANCELLED",
        ),
        (
            SOURCE,
            "{ agents = 'all', statuses = ['active'] }",
            "'active' is no status that we know of bolna: created, processed, scheduled, queued, "
            "running, executed, completed, stopped, canceled, cancelled, failed",
        ),
    ],
)
def test_a_status_that_nobody_knows_is_named_with_those_that_are_known(
    write: Write, source: str, discover: str, said: str | None
) -> None:
    expected = [] if said is None else [f"sources.x.discover.statuses: {said}"]

    assert warnings_in(write(f"{source}discover = {discover}\n{OPS}{HEARD}")) == expected


def test_a_daemon_warns_of_more_polls_than_it_may_have_open_files(write: Write) -> None:
    config = load(write(f"{SOURCE}{OPS}{HEARD}[polling]\nconcurrency = 10_000\n"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (10_064, before[1]))
    try:
        short = warnings_at_work(config)
        resource.setrlimit(resource.RLIMIT_NOFILE, (10_065, before[1]))
        enough = warnings_at_work(config)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert short == [
        "polling.concurrency = 10000 takes up to 10065 open files, and this process may have 10064:"
        " 9999 polls at once are possible; raise LimitNOFILE= (`ulimit -n`), or lower it"
    ]
    assert enough == []
    assert warnings_of(config) == []


def test_each_source_keeps_its_connections_warm(write: Write) -> None:
    config = load(write(f"{SOURCE}{SOURCE.replace('x]', 'y]')}{OPS}{HEARD}"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (185, before[1]))
    try:
        (warning,) = warnings_at_work(config)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert "takes up to 265 open files" in warning
    assert "60 polls at once are possible" in warning


def test_a_field_that_is_compared_like_a_text_is_named(write: Write) -> None:
    table = """[sources.acme]
provider = "generic"
url = "https://api.example.com/{id}"
status = 'state == "END" && closed || state'
completed = ["done"]
[sources.acme.discover]
url = "https://api.example.com/"
items = "data[?state != 'OLD']"
id = "id"
next = { after = 'more == "yes" && last' }
"""

    assert warnings_in(write(table + OPS + HEARD)) == [
        'sources.acme.status: "END" is a field of the answer: a text stands in single quotes,'
        " 'END'",
        'sources.acme.discover.next: "yes" is a field of the answer: a text stands in single'
        " quotes, 'yes'",
    ]
