from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config.load import load
from monitor.config.warnings import warnings_of
from monitor.core.errors import ConfigError

Write = Callable[[str], Path]

CONFIG = """\
[sources.bolna-prod]
provider = "bolna"
api_key = "k"
labels = { team = "collections" }

[receivers.ops]
kind = "slack"
webhook_url = "https://hooks.slack.com/services/x"

[[routes]]
receiver = "ops"

[[routes]]
receiver = "ops"
matchers = ['team = collections', 'MATCHER']
"""
PLACE = "routes[1].matchers[1]"


@pytest.mark.parametrize(
    ("matcher", "said"),
    [
        ("type = batch.faild", 'no event has type "batch.faild"; did you mean "batch.failed"?'),
        (
            r'type =~ "batch\.complted"',
            r'no event has a type that matches "batch\.complted"; did you mean "batch.completed"?',
        ),
        ("stalled = false", 'no event has stalled "false"; it is "true" or ""'),
        ("phase = runing", 'no event has phase "runing"; did you mean "running"?'),
        ("outcome = canceled", 'no event has outcome "canceled"; did you mean "cancelled"?'),
        ("source = bolna", 'no event has source "bolna"; did you mean "bolna-prod"?'),
        ("provider = retell", 'no event has provider "retell"'),
        ("stalled = yes", 'no event has stalled "yes"'),
        ('type !~ ".*"', 'no event has a type for which type !~ ".*" holds'),
        ("team = x, type = batch.faild", 'no event has type "batch.faild"'),
    ],
)
def test_a_matcher_that_can_never_hold_is_a_mistake(write: Write, matcher: str, said: str) -> None:
    path = write(CONFIG.replace("MATCHER", matcher))

    with pytest.raises(ConfigError) as caught:
        load(path)

    (mistake,) = str(caught.value).splitlines()
    assert f": {PLACE}: {said}" in mistake


@pytest.mark.parametrize(
    "matcher",
    [
        "type = batch.failed",
        'type =~ "batch.*"',
        "type != batch.faild",
        'phase = ""',
        "outcome =",
        'source = ""',
        "provider = vogent",
        "late = true",
        "late != true",
    ],
)
def test_a_matcher_that_may_hold_is_none(write: Write, matcher: str) -> None:
    path = write(CONFIG.replace("MATCHER", matcher))

    assert not [warning for warning in warnings_of(load(path)) if warning.startswith("routes")]


def test_a_label_that_nobody_has_is_warned_of(write: Write) -> None:
    path = write(CONFIG.replace("MATCHER", "tem = x"))

    assert (
        "routes[1]: tem = \"x\": no source and no declared batch has a label 'tem', so only"
        ' `monitor add --label` can give it one; did you mean "team"?'
    ) in warnings_of(load(path))


def test_what_can_be_no_label_is_warned_of_as_such(write: Write) -> None:
    path = write(CONFIG.replace("MATCHER", "Team = x"))

    assert (
        "routes[1]: Team = \"x\": no source and no declared batch has a label 'Team', so nothing"
        ' can give it one: labels are named by a-z, 0-9, _ and -; did you mean "team"?'
    ) in warnings_of(load(path))


def test_a_label_that_may_be_missing_is_not(write: Write) -> None:
    path = write(CONFIG.replace("MATCHER", "tem != x"))

    assert warnings_of(load(path)) == []


def test_a_label_of_a_conditions_name_yields_and_is_warned_of(write: Write) -> None:
    text = CONFIG.replace("{ team = ", "{ late = ").replace("team = collections", "late = true")
    path = write(text.replace("MATCHER", "team != x"))

    assert any(
        warning.startswith("sources.bolna-prod.labels.late: matchers see the condition")
        for warning in warnings_of(load(path))
    )


def test_what_a_route_turns_away_is_no_doubt_at_a_start(write: Write) -> None:
    text = CONFIG.replace("MATCHER", "type !~ batch.+").replace(
        '[[routes]]\nreceiver = "ops"\n\n', "", 1
    )
    config = load(write(text))

    assert any(warning.startswith("no route can match") for warning in warnings_of(config))
    assert not [
        warning
        for warning in warnings_of(config, deliberate=False)
        if "batch.first_seen" in warning
    ]
