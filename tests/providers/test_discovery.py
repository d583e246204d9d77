from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.discovery import FOUND_LIMIT, Entries
from monitor.providers import BolnaSettings, VogentSettings
from monitor.providers.discovery import DiscoverySettings, Sieve

NOW = datetime(2026, 1, 29, 8, 31, tzinfo=UTC)


def bolna(discover: Any) -> BolnaSettings:
    return BolnaSettings.model_validate({"provider": "bolna", "api_key": "k", "discover": discover})


def vogent(discover: Any) -> VogentSettings:
    return VogentSettings.model_validate(
        {"provider": "vogent", "api_key": "k", "discover": discover}
    )


def reason(error: ValidationError) -> str:
    (found,) = error.errors()
    return str(found["msg"])


def test_nothing_is_discovered_unless_somebody_asks_for_it() -> None:
    plain = BolnaSettings.model_validate({"provider": "bolna", "api_key": "k"})

    assert (plain.discover, bolna(False).discover, vogent(False).discover) == (None, None, None)


def test_true_stands_for_the_jobs_of_the_last_week() -> None:
    found = vogent(True).discover

    assert found == vogent({}).discover == DiscoverySettings()
    assert found is not None
    assert (found.max_age, found.every) == (timedelta(days=7), timedelta(minutes=5))


@pytest.mark.parametrize("discover", ["all", {"agents": "all"}])
def test_all_stands_for_every_agent_of_the_account(discover: Any) -> None:
    found = bolna(discover).discover

    assert found is not None
    assert found.agents == ("all",)


def test_a_table_says_which_and_how_often() -> None:
    found = bolna({"agents": ["a1", "a2"], "max_age": "1h", "every": "30s"}).discover

    assert found is not None
    assert (found.agents, found.max_age) == (("a1", "a2"), timedelta(hours=1))
    assert found.every == timedelta(seconds=30)


@pytest.mark.parametrize("discover", [True, {}, {"max_age": "1h"}, "some", []])
def test_bolna_without_agents_is_refused_with_the_reason(discover: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        bolna(discover)

    assert "Bolna has no list of all batches" in reason(caught.value)


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        ([], 'must be "all" or an array of agent ids'),
        ("a1", 'must be "all" or an array of agent ids'),
        ([7], "must hold texts"),
        (["../b"], 'an agent id cannot hold "/"'),
        (["agents/a1"], "this is a path, not an agent id: paste only 'a1'"),
        (["arn:aws:x:::agent/a1"], "this is an ARN, not an agent id: paste only 'a1'"),
        (["https://x.example/agents/a1"], "this is a URL, not an agent id: paste only 'a1'"),
    ],
)
def test_agents_that_can_be_none_are_refused(agents: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        bolna({"agents": agents})

    assert said in reason(caught.value)


@pytest.mark.parametrize("discover", ["all", 1, ["a1"]])
def test_vogent_takes_true_false_or_a_table(discover: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        vogent(discover)

    assert "must be true, false or a table" in reason(caught.value)


def test_looking_more_often_than_every_ten_seconds_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        vogent({"every": "9s"})

    assert 'must be from "10s"' in reason(caught.value)


def sifted(*entries: Any, **settings: Any) -> tuple[tuple[str, ...], Entries]:
    wanted = DiscoverySettings.model_validate(settings)
    sieve = Sieve(wanted, now=NOW)
    for entry in entries:
        sieve.take_entry(entry, id_="id", created_at="created", name="name")
    found = sieve.found()
    return found.ids, found.entries


def test_what_is_too_old_is_left_out_and_what_tells_no_time_passes() -> None:
    found = sifted(
        {"id": "new", "created": "2026-01-29T07:32:00Z"},
        {"id": "old", "created": "2026-01-29T07:30:00Z"},
        {"id": "odd", "created": "2024-02-29T04:22:89Z"},
        {"id": "bare"},
        max_age="1h",
    )

    assert found == (("new", "odd", "bare"), Entries(number=4, too_old=1, undated=2))


def test_statuses_are_compared_as_words_are() -> None:
    ids, left = sifted(
        {"id": "b1", "status": "IN_PROGRESS"},
        {"id": "b2", "status": "in-progress"},
        {"id": "b3", "status": "done"},
        {"id": "b4", "status": 7},
        {"id": "b5"},
        statuses=["In progress"],
    )

    assert ids == ("b1", "b2")
    assert (left.number, left.other_status, left.no_status) == (5, 3, 1)


@pytest.mark.parametrize(
    "id_", [None, 7, True, "", ".", "..", "a/b", "a\\b", "a%b", "a b", "a\nb", "\u202e", "x" * 257]
)
def test_entries_without_a_usable_id_are_skipped_and_counted(id_: Any) -> None:
    ids, left = sifted({"id": id_}, {}, {"id": "b1", "created": "2020-01-01T00:00:00Z"})

    assert ids == ()
    assert (left.no_id, left.too_old) == (2, 1)


def test_an_id_that_comes_twice_is_found_once() -> None:
    ids, left = sifted({"id": "b1"}, {"id": "b2"}, {"id": "b1"})

    assert (ids, left.skipped["skipped"]) == (("b1", "b2"), 0)


def test_of_too_many_one_more_than_a_round_takes_is_kept_and_none_is_skipped() -> None:
    entries = [{"id": f"b{n}"} for n in range(FOUND_LIMIT + 5)]

    ids, left = sifted(*entries[:FOUND_LIMIT], *entries)

    assert (len(ids), left.skipped["skipped"]) == (FOUND_LIMIT + 1, 0)
