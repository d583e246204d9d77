"""Each command on the way from a key to a message ends with the next one, and JSON with nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.cli.conftest import Run

GENERIC = """
[sources.acme]
provider = "generic"
url = "https://api.acme.example/v1/{id}"
status = "state"
completed = ["done"]
"""


def next_in(text: str) -> str:
    """Return the next step, which is the last line."""
    *_, last = text.splitlines()
    assert last.startswith("next: ")
    return last.removeprefix("next: ")


async def test_a_good_config_leads_to_what_its_provider_has(
    monitor: Run, in_force: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = await monitor("check-config")
    monkeypatch.setenv("NOT_SET_ANYWHERE", "k")
    monkeypatch.setenv("NOT_SET_EITHER", "https://hooks.slack.com/services/x")
    whole = await monitor("check-config")

    assert next_in(lacking.out) == (
        "set what is missing, then `monitor batches bolna` lists what it has"
    )
    assert next_in(whole.out) == "`monitor batches bolna` lists what it has"


@pytest.mark.parametrize(
    ("text", "step"),
    [(GENERIC, "`monitor poll acme ID --raw` reads a batch"), ("", None)],
    ids=["without a list", "without a source"],
)
async def test_a_good_config_leads_to_a_batch_where_nothing_lists_them(
    text: str, step: str | None, monitor: Run, rewrite: Callable[[str], None]
) -> None:
    rewrite(text)

    ended = await monitor("check-config")

    assert ended.code == 0
    assert next_in(ended.out) == step if step else "next:" not in ended.out


async def test_a_bad_config_and_several_lead_nowhere(
    monitor: Run, in_force: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("nonsense = 1")

    for paths in ((str(bad),), (str(in_force), str(in_force))):
        assert "next:" not in (await monitor("check-config", *paths)).out


async def test_a_batch_that_is_read_leads_to_its_being_watched(
    monitor: Run, bolna: SimulatedBolna, config: Path
) -> None:
    bolna.put("x", bolna_document("x"))

    shown = await monitor("poll", "bolna", "x", "--config", str(config))

    assert next_in(shown.out).startswith("`monitor add bolna x` watches one, or discover = ")
    listed = await monitor("poll", "bolna", "x", "-o", "json", "--config", str(config))
    assert listed.json["id"] == "x"


@pytest.mark.usefixtures("in_force", "store")
async def test_what_is_added_leads_to_the_daemon(monitor: Run) -> None:
    assert next_in((await monitor("add", "bolna", "x")).out) == "`monitor run`"


@pytest.mark.usefixtures("in_force", "daemon")
async def test_what_is_added_beside_a_daemon_leads_to_the_list(monitor: Run) -> None:
    assert next_in((await monitor("add", "bolna", "x")).out) == "`monitor list`"


@pytest.fixture
def other(config: Path) -> Path:
    """Let the config be none that is found without its name."""
    return config.rename(config.with_name("other one.toml"))


async def test_a_file_that_is_not_in_force_is_named(monitor: Run, other: Path) -> None:
    shown = await monitor("check-config", str(other))

    assert "`monitor batches bolna --config 'other one.toml'`" in next_in(shown.out)
