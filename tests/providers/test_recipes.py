import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.config.load import load
from monitor.core.batch import Outcome, Phase, Reading
from monitor.providers import build
from tests.patient import HANG
from tests.providers.made_up_api import ACCESS, MadeUpApi

RECIPES = Path(__file__).parents[2] / "deploy" / "recipes"
PAYLOADS = Path(__file__).parent / "payloads" / "generic"
UUID = "3f6f2f5e-4f4b-4f0e-9a4e-2b6d1a5c7e90"

ASKED: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "anthropic": (
        "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF",
        "/v1/messages/batches/msgbatch_013Zva2CMHLNnXjNJJKqJ2EF",
        {"x-api-key": "the-key", "anthropic-version": "2023-06-01"},
    ),
    "cartesia": (
        "acb_1",
        "/agents/calls/batches/acb_1",
        {"Authorization": "Bearer the-key", "Cartesia-Version": "2026-03-01"},
    ),
    "elevenlabs": ("btcal_1", "/v1/convai/batch-calling/btcal_1", {"xi-api-key": "the-key"}),
    "openai": ("batch_abc123", "/v1/batches/batch_abc123", {"Authorization": "Bearer the-key"}),
    "sinch": (
        "01HZXK8FQNPMR8VD3JW9YF2C5A",
        "/v2/projects/PROJECT/batches/01HZXK8FQNPMR8VD3JW9YF2C5A",
        {"Authorization": "Basic dGhlLWtleTp0aGUta2V5"},
    ),
    "synthflow": (UUID, f"/v2/calls/batch/{UUID}", {"Authorization": "Bearer the-key"}),
    "vapi": (UUID, f"/campaign/{UUID}", {"Authorization": "Bearer the-key"}),
}
"""Of each recipe: an id, where it is asked for, and how."""

PENDING, RUNNING, PAUSED = Phase.PENDING, Phase.RUNNING, Phase.PAUSED
COMPLETED = {"phase": Phase.ENDED, "outcome": Outcome.COMPLETED}
FAILED = {"phase": Phase.ENDED, "outcome": Outcome.FAILED}
CANCELLED = {"phase": Phase.ENDED, "outcome": Outcome.CANCELLED}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


COMMON: Mapping[str, Mapping[str, Any]] = {
    "anthropic": {},
    "cartesia": {"name": "March outreach", "scheduled_at": at("2026-03-01T10:00:00Z")},
    "elevenlabs": {"name": "Survey", "scheduled_at": at("2026-01-01T01:00:00Z")},
    "openai": {},
    "sinch": {"total_contacts": 100},
    "synthflow": {"name": "August re-engagement"},
    "vapi": {"name": "Q2 sales", "scheduled_at": at("2026-05-01T08:00:00Z"), "total_contacts": 3},
}
ANTHROPIC = {"processing": 0, "succeeded": 50, "errored": 0, "canceled": 0, "expired": 0}

READINGS: Mapping[str, Mapping[str, Any]] = {
    "anthropic-running": {
        "status": "in_progress",
        "phase": RUNNING,
        "counts": ANTHROPIC | {"processing": 100, "succeeded": 0},
        "open_calls": 100,
    },
    "anthropic-ended": COMPLETED
    | {"status": "ended", "counts": ANTHROPIC | {"errored": 30, "canceled": 10, "expired": 10}},
    "anthropic-failed": FAILED
    | {"status": "failed", "counts": ANTHROPIC | {"succeeded": 0, "errored": 60, "expired": 40}},
    "anthropic-cancelled-too-late": COMPLETED
    | {"status": "ended", "counts": ANTHROPIC | {"succeeded": 100}},
    "anthropic-cancelled": CANCELLED
    | {"status": "canceled", "counts": ANTHROPIC | {"canceled": 50}},
    "cartesia-pending": {
        "status": "pending",
        "phase": PENDING,
        "counts": {"finished": 0, "dispatched": 0, "waiting": 2},
        "open_calls": 2,
        "total_contacts": 2,
    },
    "cartesia-running": {
        "status": "in_progress",
        "phase": RUNNING,
        "counts": {"finished": 0, "dispatched": 1, "waiting": 1},
        "open_calls": 2,
        "total_contacts": 2,
    },
    "cartesia-ended": CANCELLED  # one of two was never called: a second reading must agree
    | {"status": "cancelled", "counts": {"finished": 1, "dispatched": 0}, "least_contacts": 2},
    "elevenlabs-pending": {
        "status": "pending",
        "phase": PENDING,
        "counts": {"finished": 0, "dispatched": 0, "waiting": 4},
        "open_calls": 4,
        "total_contacts": 4,
    },
    "elevenlabs-running": {
        "status": "in_progress",
        "phase": RUNNING,
        "counts": {"finished": 1, "dispatched": 2, "waiting": 1},
        "open_calls": 3,
        "total_contacts": 4,
    },
    "elevenlabs-ended": COMPLETED
    | {"status": "completed", "counts": {"finished": 4, "dispatched": 0}, "total_contacts": 4},
    "openai-pending": {"status": "validating", "phase": PENDING},
    "openai-running": {
        "status": "in_progress",
        "phase": RUNNING,
        "counts": {"completed": 30, "failed": 2, "processing": 68},
        "open_calls": 68,
        "total_contacts": 100,
    },
    "openai-ended": COMPLETED
    | {"status": "completed", "counts": {"completed": 95, "failed": 5}, "total_contacts": 100},
    "openai-failed": FAILED
    | {"status": "failed", "counts": {"completed": 0, "failed": 9}, "total_contacts": 9},
    "sinch-pending": {
        "status": "queued",
        "phase": PENDING,
        "counts": {"queued": 100, "inProgress": 0, "completed": 0, "expired": 0},
        "open_calls": 100,
    },
    "sinch-running": {
        "status": "running",
        "phase": RUNNING,
        "counts": {"queued": 5, "inProgress": 2, "completed": 93, "expired": 0},
        "open_calls": 7,
    },
    "sinch-ended": COMPLETED
    | {"status": "ended", "counts": {"queued": 0, "inProgress": 0, "completed": 97, "expired": 3}},
    "synthflow-pending": {
        "status": "scheduled",
        "phase": PENDING,
        "counts": {"dispatched": 0, "failed": 0, "pending": 10},
        "open_calls": 10,
        "total_contacts": 10,
    },
    "synthflow-running": {
        "status": "in_progress",
        "phase": RUNNING,
        "counts": {"dispatched": 4, "failed": 1, "pending": 5},
        "open_calls": 5,
        "total_contacts": 10,
    },
    "synthflow-paused": {
        "status": "paused",
        "phase": PAUSED,
        "counts": {"dispatched": 4, "failed": 1, "pending": 5},
        "open_calls": 5,
        "total_contacts": 10,
    },
    "synthflow-ended": CANCELLED
    | {"status": "canceled", "counts": {"dispatched": 4, "failed": 1}, "least_contacts": 10},
    "vapi-pending": {
        "status": "scheduled",
        "phase": PENDING,
        "counts": {"ended": 0, "waiting": 3},
        "open_calls": 3,
    },
    "vapi-running": {
        "status": "in-progress",
        "phase": RUNNING,
        "counts": {"ended": 1, "waiting": 2},
        "open_calls": 2,
    },
    "vapi-ended": COMPLETED | {"status": "ended", "counts": {"ended": 3}},
    "vapi-ended-by-user": CANCELLED
    | {
        "status": "cancelled",
        "counts": {"ended": 2},
        "total_contacts": None,
        "least_contacts": 3,
    },
}


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for recipe in RECIPES.glob("*.toml"):
        for variable in re.findall(r'_env"? = "([A-Z_]+)"', recipe.read_text()):
            monkeypatch.setenv(variable, "the-key")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("payload", READINGS)
async def test_a_documented_answer_is_this_reading(
    payload: str, api: MadeUpApi, tmp_path: Path
) -> None:
    recipe = payload.partition("-")[0]
    batch_id, target, headers = ASKED[recipe]
    api.put(target, (PAYLOADS / f"{payload}.json").read_bytes())
    text = (RECIPES / f"{recipe}.toml").read_text()
    path = tmp_path / "config.toml"
    path.write_text(re.sub(r"https://(api|voice)\.[a-z.]+(?=/.*\{id\})", api.origin, text) + ACCESS)
    provider = build(load(path).sources[recipe], deadline=timedelta(seconds=HANG))

    reading = await provider.read(batch_id, None)
    await provider.close()

    assert reading == Reading(**{"tells_live": False, **COMMON[recipe], **READINGS[payload]})
    assert {name: api.requests[0].headers.get(name) for name in headers} == headers


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_is_a_valid_file_of_at_most_20_lines(recipe: Path) -> None:
    config = load(recipe)

    settings = config.sources[recipe.stem]
    lines = [line for line in recipe.read_text().splitlines() if line and not line.startswith("#")]
    assert settings.provider == "generic"
    assert len(lines) <= 20
    assert f"[{recipe.name}]({recipe.name})" in (RECIPES / "README.md").read_text()


def test_every_recipe_and_every_payload_is_tested() -> None:
    assert set(ASKED) == {path.stem for path in RECIPES.glob("*.toml")}
    assert set(READINGS) == {path.stem for path in PAYLOADS.glob("*.json")}
