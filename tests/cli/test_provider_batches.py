import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.cli import provider_lists
from monitor.cli.provider_lists import Purse
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from monitor.simulator.vogent import SimulatedVogent, vogent_document
from monitor.storage.sources import all_sources
from tests.cli.conftest import KEY, Run, both
from tests.providers.made_up_api import ACCESS, MadeUpApi
from tests.simulator.faults import Fault
from tests.storage.store import Store

NOW = datetime.now(UTC)


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat()


def discover(config: Path, line: str) -> None:
    """Let the source of Bolna discover."""
    config.write_text(config.read_text().replace("[sources.vogent]", f"{line}\n[sources.vogent]"))


@pytest.fixture
def two(bolna: SimulatedBolna) -> SimulatedBolna:
    """Give one agent two batches, and another one none."""
    for name, at in {"b1": ago(hours=2), "b2": ago(hours=1)}.items():
        bolna.put(name, bolna_document(name, status="queued", created_at=at))
    bolna.agents |= {"a1": ["b1", "b2"], "a2": []}
    return bolna


@pytest.mark.usefixtures("two")
async def test_without_discover_it_lists_all_agents_and_stores_nothing(
    monitor: Run, in_force: Path
) -> None:
    ended = await monitor("batches", "bolna")

    head, rule, *rows, next_ = ended.out.splitlines()
    assert ended.code == 0
    assert head.split() == ["Batch", "Name", "Status", "Created", "Watched"]
    assert rule.strip("─ ") == ""
    assert [row.split()[:3] for row in rows] == [
        ["b2", "customers.csv", "queued"],
        ["b1", "customers.csv", "queued"],
    ]
    assert all(row.split()[-1] == "no" for row in rows)
    assert next_.startswith("next: `monitor add bolna ID` watches one, or discover = ")
    assert not (in_force.parent / "monitor.db").exists()


@pytest.mark.usefixtures("two")
async def test_its_json_is_one_array_and_no_word_more(monitor: Run, in_force: Path) -> None:
    ended = await monitor("batches", "bolna", "-o", "json", "--limit", "1")

    created = NOW - timedelta(hours=1)
    assert ended.json == [
        {
            "source": "bolna",
            "id": "b2",
            "name": "customers.csv",
            "status": "queued",
            "created_at": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "watched": False,
        }
    ]
    assert ended.err == ""


@both
@pytest.mark.usefixtures("two", "in_force")
async def test_it_says_which_are_watched_and_spends_the_budget_that_daemons_share(
    monitor: Run, store: Store
) -> None:
    await monitor("add", "bolna", "b1", "b2")
    await monitor("remove", "bolna", "b2")
    await store.source("bolna")
    before = (await all_sources(store.database))["bolna"].tokens_at

    ended = await monitor("batches", "bolna")

    told = {row.split()[0]: row.split()[-1] for row in ended.out.splitlines()[2:4]}
    assert told == {"b1": "yes", "b2": "removed"}
    assert (await all_sources(store.database))["bolna"].tokens_at > before


@pytest.mark.usefixtures("two")
async def test_with_discover_it_looks_as_discovery_does_and_says_what_is_left_out(
    monitor: Run, two: SimulatedBolna, in_force: Path
) -> None:
    discover(in_force, 'discover = { agents = ["a1"], max_age = "90m" }')

    ended = await monitor("batches", "bolna")

    assert [row.split()[0] for row in ended.out.splitlines()[2:3]] == ["b2"]
    assert "left out: 1 created more than 1h30m ago (max_age)\n" in ended.out
    assert "next: `monitor run` watches what discover finds at bolna" in ended.out
    assert [served.batch for served in two.served] == ["a1/all"]


async def test_an_account_without_batches_says_so(monitor: Run, in_force: Path) -> None:
    ended = await monitor("batches", "bolna")

    assert (ended.code, ended.out) == (0, "no batches found\n")


async def test_more_than_are_shown_are_counted(
    monitor: Run, two: SimulatedBolna, in_force: Path
) -> None:
    ended = await monitor("batches", "bolna", "-n", "1")

    assert "the newest 1 of 2; --limit N shows more, -o json all" in ended.out
    assert "b1" not in ended.out


async def test_too_many_to_be_found_are_said_to_be(
    monitor: Run, two: SimulatedBolna, in_force: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_lists, "FOUND_LIMIT", 1)

    ended = await monitor("batches", "bolna")

    assert ended.code == 1
    assert "bolna: the list could not be read: too_large: more than 1 batches (200)" in ended.err
    assert "shorten discover.max_age" in ended.err


async def test_what_is_wrong_with_one_agent_is_told_beside_what_the_others_have(
    monitor: Run, two: SimulatedBolna, in_force: Path
) -> None:
    two.fault(Fault.html(), batch="a2/all")

    ended = await monitor("batches", "bolna", "-o", "json")

    assert ended.code == 1
    assert [batch["id"] for batch in ended.json] == ["b2", "b1"]
    assert ended.err.startswith("bolna, agent a2: the list could not be read: invalid_body")


@pytest.mark.parametrize(
    ("fault", "failure", "remedy"),
    [
        (Fault.unauthorized(), "unauthorized (401)", "the key is refused: check api_key"),
        (Fault.not_found(), "not_found (404)", "there is no such list"),
        (Fault.forbidden(), "forbidden (403)", "may not read lists"),
    ],
)
async def test_a_list_that_fails_says_what_to_do(
    fault: Fault, failure: str, remedy: str, monitor: Run, bolna: SimulatedBolna, in_force: Path
) -> None:
    bolna.fault(fault)

    ended = await monitor("batches", "bolna")

    assert ended.code == 1
    assert ended.err.startswith(f"bolna: the list could not be read: {failure}\n")
    assert remedy in ended.err
    assert KEY not in ended.err + ended.out


async def test_a_stranger_s_text_steers_no_terminal(
    monitor: Run, two: SimulatedBolna, in_force: Path
) -> None:
    odd = {"file_name": "[red]\x1b[2J\u202eb", "status": "\x07[bold]", "created_at": "soon"}
    two.put("b1", bolna_document("b1", **odd))

    shown = await monitor("batches", "bolna")
    listed = (await monitor("batches", "bolna", "-o", "json")).json

    assert "[red]�[2J�b" in shown.out
    assert not {"\x1b", "\x07", "\u202e"} & set(shown.out)
    assert listed[-1]["created_at"] is None


async def test_a_database_that_cannot_be_read_leaves_open_which_are_watched(
    monitor: Run, two: SimulatedBolna, in_force: Path
) -> None:
    (in_force.parent / "monitor.db").write_text("this is no database")

    shown = await monitor("batches", "bolna")
    listed = await monitor("batches", "bolna", "-o", "json")

    assert "which are watched is not known: " in shown.err
    assert "Watched" not in shown.out
    assert [batch["watched"] for batch in listed.json] == [None, None]


async def test_the_jobs_of_a_workspace_are_listed_by_the_defaults_of_discover(
    monitor: Run, rewrite: Callable[[str], None]
) -> None:
    async with SimulatedVogent(key=KEY) as vogent:
        vogent.put("j1", vogent_document("j1", name="Pilot", createdAt=ago(days=1)))
        vogent.put("j2", vogent_document("j2", name="Old", createdAt=ago(days=8)))
        rewrite(
            f'[sources.v]\nprovider = "vogent"\napi_key = "{KEY}"\n'
            f'base_url = "{vogent.base_url}"\nallow_http = true\nallow_private = true\n'
        )

        ended = await monitor("batches", "v")

        assert vogent.violations == []
    assert ended.out.splitlines()[2].split()[:2] == ["j1", "Pilot"]
    assert "left out: 1 created more than 7d ago" in ended.out
    assert "`monitor add v ID` watches one, or discover = true in [sources.v]" in ended.out


ACME = """
[sources.acme]
provider = "generic"
url = "{origin}/v1/{{id}}"
bearer = "the-secret-key"
status = "state"
completed = ["done"]
"""
DISCOVER = """
[sources.acme.discover]
url = "{origin}/v1"
items = "data"
id = "id"
created_at = "at"
status = "state"
name = "title"
"""


@pytest.fixture
async def acme() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as api:
        yield api


async def test_a_generic_source_without_a_list_says_what_to_add(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    rewrite(ACME.format(origin=acme.origin) + ACCESS)

    ended = await monitor("batches", "acme")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("sources.acme: nothing says where its batches are listed")
    assert f'  [sources.acme.discover]\n  url = "{acme.origin}/..."' in ended.err
    assert "`monitor add acme ID`" in ended.err


async def test_a_generic_source_is_listed_by_its_expressions(
    monitor: Run, rewrite: Callable[[str], None], acme: MadeUpApi
) -> None:
    rewrite(ACME.format(origin=acme.origin) + ACCESS + DISCOVER.format(origin=acme.origin))
    one = {"id": 7, "title": "January", "state": "dialing", "at": "nonsense"}
    acme.put("/v1", json.dumps({"data": [one]}).encode())

    ended = await monitor("batches", "acme")
    listed = (await monitor("batches", "acme", "-o", "json")).json

    assert ended.code == 0
    assert [(b["id"], b["name"], b["status"]) for b in listed] == [("7", "January", "dialing")]
    assert "sources.acme.discover.created_at finds nothing in all that the list holds" in ended.err


async def test_an_unknown_source_is_named_with_those_there_are(
    monitor: Run, in_force: Path
) -> None:
    ended = await monitor("batches", "bolnaa")

    assert ended.code == 1
    assert 'there is no source "bolnaa"; did you mean' in ended.err


def test_a_purse_is_full_at_first_and_then_lets_wait() -> None:
    purse = Purse(rate=2.0)

    waits = [purse.draw_at(NOW) for _ in range(12)]
    later = purse.draw_at(NOW + timedelta(seconds=2))

    assert waits[:10] == [timedelta()] * 10
    assert waits[10:] == [timedelta(seconds=0.5), timedelta(seconds=1)]
    assert later == timedelta()
