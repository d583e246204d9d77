"""A remedy names what a user can turn: the keys of the table that is meant, wherever it stands."""

import re
from collections.abc import Callable
from typing import get_args

import pytest

from monitor.core.batch import Failures
from monitor.core.failure import FailureKind
from monitor.core.source import Health
from monitor.facts.remedy import (
    RECEIVER_REMEDIES,
    REMEDIES,
    URL_KEYS,
    describe_failures,
    receiver_remedy,
    remedy,
)
from monitor.providers import BolnaSettings, GenericSettings, VogentSettings
from monitor.setting_types import Settings
from monitor.sinks import SlackSettings, WebhookSettings, slack
from monitor.storage.sources import SourceRecord
from tests.cli.conftest import Run
from tests.storage.store import NOW, Store

TABLES: dict[str, type[Settings]] = {
    "bolna": BolnaSettings,
    "vogent": VogentSettings,
    "generic": GenericSettings,
}
KEYS = {name for table in TABLES.values() for name in table.model_fields}
WORDS_TOO = {"url", "bearer", "headers", "password"}
GENERIC = """
[sources.acme]
provider = "generic"
url = "https://api.example.com/v1/{id}"
bearer = "the-secret-key"
status = "state"
completed = ["done"]
"""


@pytest.mark.parametrize("provider", TABLES)
@pytest.mark.parametrize("kind", FailureKind)
def test_it_names_keys_of_that_table_alone(kind: FailureKind, provider: str) -> None:
    words = set(re.findall(r"[a-z]+(?:_[a-z]+)*", remedy(kind, provider=provider)))

    unmistakable = {key for key in words & KEYS if "_" in key or key in WORDS_TOO}
    assert unmistakable <= TABLES[provider].model_fields.keys()


def test_every_kind_of_failure_has_one() -> None:
    assert set(REMEDIES) == set(FailureKind)
    for kind in FailureKind:
        failures = Failures(since=NOW, polls=1, kind=kind, status_code=None)
        assert describe_failures(failures, provider="generic", read_before=False)


@pytest.mark.parametrize("word", sorted(slack.WORDS))
def test_every_word_of_slack_has_one(word: str) -> None:
    assert receiver_remedy(word, kind="slack")


@pytest.mark.parametrize("status", [302, 307, 400, 401, 403, 404, 405, 410, 413, 429, 500, 503])
def test_every_usual_answer_of_a_receiver_has_one(status: int) -> None:
    assert receiver_remedy(status, kind="webhook")


def test_none_speaks_of_a_proxy_for_none_can_be_set() -> None:
    told = [*REMEDIES.values(), *RECEIVER_REMEDIES.values()]

    assert not [text for text in told if "proxy" in text]


def test_the_key_of_each_kind_of_receiver_is_known() -> None:
    tables: dict[type[Settings], str] = {SlackSettings: "webhook_url", WebhookSettings: "url"}

    kinds = {get_args(t.model_fields["kind"].annotation)[0]: key for t, key in tables.items()}
    assert kinds == URL_KEYS
    assert all(key in table.model_fields for table, key in tables.items())


@pytest.mark.parametrize("command", [("list",), ("show", "acme", "x"), ("wait", "acme", "x")])
async def test_a_generic_source_is_never_told_of_keys_that_it_has_not(
    command: tuple[str, ...],
    monitor: Run,
    store: Store,
    rewrite: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rewrite(GENERIC)
    monkeypatch.setenv("COLUMNS", "200")
    more = ("--timeout", "1s") if command[0] == "wait" else ()
    await store.add("x", source="acme")
    await store.run("UPDATE sources SET provider = 'generic'")
    source = await store.source("acme")
    health = Health(failing_since=NOW, kind=FailureKind.UNAUTHORIZED, status_code=401)
    await store.write(
        sources=[SourceRecord(row=source.row, version=0, health=health, blocked_until=None)]
    )

    ended = await monitor(*command, *more)

    assert "check bearer, headers, query or password" in ended.out + ended.err
    assert "api_key" not in ended.out + ended.err
