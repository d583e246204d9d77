import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.config.load import load
from monitor.core.batch import Counts, Outcome, Phase, Reading
from monitor.engine.ports import Provider
from monitor.providers import build
from tests.patient import HANG
from tests.providers.made_up_api import ACCESS, MadeUpApi

RECIPES = Path(__file__).parents[2] / "deploy" / "recipes"
PAYLOADS = Path(__file__).parent / "payloads" / "recipes"
"""Of each recipe: a document by what it shows, made up, with the fields of the official type."""
UUID = "3f6f2f5e-4f4b-4f0e-9a4e-2b6d1a5c7e90"
BEARER = {"Authorization": "Bearer the-key"}

ASKED: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "anthropic": (
        "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF",
        "/v1/messages/batches/msgbatch_013Zva2CMHLNnXjNJJKqJ2EF",
        {"x-api-key": "the-key", "anthropic-version": "2023-06-01"},
    ),
    "bedrock": ("a1b2c3d4e5f6", "/model-invocation-job/a1b2c3d4e5f6", BEARER),
    "bolna-campaigns": (UUID, f"/workflow-campaigns/{UUID}", BEARER),
    "cartesia": (
        "acb_1",
        "/agents/calls/batches/acb_1",
        BEARER | {"Cartesia-Version": "2026-03-01"},
    ),
    "elevenlabs": ("btcal_1", "/v1/convai/batch-calling/btcal_1", {"xi-api-key": "the-key"}),
    "gemini": ("1234567891", "/v1beta/batches/1234567891", {"x-goog-api-key": "the-key"}),
    "mistral": (UUID, f"/v1/batch/jobs/{UUID}", BEARER),
    "openai": ("batch_abc123", "/v1/batches/batch_abc123", BEARER),
    "sinch": (
        "01HZXK8FQNPMR8VD3JW9YF2C5A",
        "/v2/projects/PROJECT/batches/01HZXK8FQNPMR8VD3JW9YF2C5A",
        {"Authorization": "Basic dGhlLWtleTp0aGUta2V5"},
    ),
    "synthflow": (UUID, f"/v2/calls/batch/{UUID}", BEARER),
    "vapi": (UUID, f"/v2/campaign/{UUID}?includeCounters=true", BEARER),
    "vapi-v1": (UUID, f"/campaign/{UUID}", BEARER),
}
"""Of each recipe: an id, where it is asked for, and how."""

PENDING, RUNNING, PAUSED = Phase.PENDING, Phase.RUNNING, Phase.PAUSED
COMPLETED, FAILED, CANCELLED = Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELLED

Fields = dict[str, Any]
"""Of a reading; its status is what the document is called, where none is given."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def says(
    how: Phase | Outcome,
    counts: Counts | None = None,
    /,
    *,
    still: int = 0,
    of: int | None = None,
    **more: Any,
) -> Fields:
    """Say a phase or an end, the counts, how many calls are still open, and of how many."""
    end = {"phase": Phase.ENDED, "outcome": how}
    phase = {"phase": how} if isinstance(how, Phase) else end
    total = more.get("least_contacts", of)
    return phase | {"counts": counts, "open_calls": still, "total_contacts": total} | more


def anthropic(**counts: int) -> dict[str, int]:
    return dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0) | counts


def vapi(*counts: int) -> dict[str, int]:
    words = ("dispatched", "completed", "failed", "skipped", "predialFailed")
    return dict(zip(words, counts, strict=True))


VAPI_START = at("2026-05-01T08:00:00Z")
COMMON: Mapping[str, Fields] = {
    "bedrock": {"name": "nightly-summaries"},
    "cartesia": {"name": "March outreach", "scheduled_at": at("2026-03-01T10:00:00Z")},
    "elevenlabs": {"name": "Survey", "scheduled_at": at("2026-01-01T01:00:00Z")},
    "gemini": {"name": "my-batch-requests"},
    "synthflow": {"name": "August re-engagement"},
    "vapi": {"name": "Q2 sales", "scheduled_at": VAPI_START},
    "vapi-v1": {"name": "Q2 sales", "scheduled_at": VAPI_START},
}

# `least_contacts`, not `of`: some were never called or tried, a second reading must agree.
READINGS: Mapping[str, Mapping[str, Fields]] = {
    "anthropic": {
        "in_progress": says(RUNNING, anthropic(processing=100), still=100),
        "canceling": says(RUNNING, anthropic(processing=100), still=100),
        "ended": says(COMPLETED, anthropic(succeeded=60, errored=30, expired=10)),
        "all errored": says(FAILED, anthropic(errored=100), status="failed"),
        "all expired": says(FAILED, anthropic(expired=100), status="failed"),
        "errored or expired": says(FAILED, anthropic(errored=60, expired=40), status="failed"),
        "all canceled": says(CANCELLED, anthropic(canceled=100), status="canceled"),
        "canceled or succeeded": says(
            CANCELLED, anthropic(succeeded=70, canceled=30), status="canceled"
        ),
        "canceled or errored": says(
            CANCELLED, anthropic(errored=20, canceled=80), status="canceled"
        ),
        "canceled too late": says(COMPLETED, anthropic(succeeded=100), status="ended"),
        "canceled too late, all errored": says(FAILED, anthropic(errored=100), status="failed"),
    },
    "bedrock": {
        "Submitted": says(PENDING, {}),
        "Validating": says(PENDING, {}),
        "Scheduled": says(
            PENDING, {"succeeded": 0, "failed": 0, "waiting": 1000}, still=1000, of=1000
        ),
        "InProgress": says(
            RUNNING, {"succeeded": 300, "failed": 2, "waiting": 698}, still=698, of=1000
        ),
        "Stopping": says(
            RUNNING, {"succeeded": 300, "failed": 2, "waiting": 698}, still=698, of=1000
        ),
        "Stopped": says(CANCELLED, {"succeeded": 310, "failed": 2}, least_contacts=1000),
        "Completed": says(COMPLETED, {"succeeded": 990, "failed": 10}, of=1000),
        "Completed, none succeeded": says(
            FAILED, {"succeeded": 0, "failed": 1000}, of=1000, status="Failed"
        ),
        "PartiallyCompleted": says(FAILED, {"succeeded": 700, "failed": 2}, least_contacts=1000),
        "Expired": says(FAILED, {"succeeded": 0, "failed": 0}, least_contacts=1000),
        "Failed": says(FAILED, {}),
    },
    "bolna-campaigns": {
        "draft": says(PENDING, name="Renewals", counted=False),
        "scheduled": says(PENDING, name="Renewals", counted=False),
        "running": says(RUNNING, name="Renewals", counted=False),
        "running, no more said": says(RUNNING, status="running", counted=False),
        "paused": says(PAUSED, name="Renewals", counted=False),
        "completed": says(COMPLETED, name="Renewals", counted=False),
        "aborted": says(CANCELLED, name="Renewals", counted=False),
    },
    "cartesia": {
        "pending": says(PENDING, {"finished": 0, "dispatched": 0, "waiting": 3}, still=3, of=3),
        "in_progress": says(RUNNING, {"finished": 1, "dispatched": 1, "waiting": 1}, still=2, of=3),
        "completed": says(COMPLETED, {"finished": 3, "dispatched": 0}, of=3),
        "failed": says(FAILED, {"finished": 0, "dispatched": 0}, least_contacts=3),
        "cancelled": says(CANCELLED, {"finished": 1, "dispatched": 1}, still=1, least_contacts=3),
    },
    "elevenlabs": {
        "pending": says(PENDING, {"finished": 0, "dispatched": 0, "waiting": 4}, still=4, of=4),
        "in_progress": says(RUNNING, {"finished": 1, "dispatched": 2, "waiting": 1}, still=3, of=4),
        "completed": says(COMPLETED, {"finished": 4, "dispatched": 0}, of=4),
        "failed": says(FAILED, {"finished": 0, "dispatched": 0}, least_contacts=4),
        "cancelled": says(CANCELLED, {"finished": 1, "dispatched": 1}, still=1, least_contacts=4),
    },
    "gemini": {
        "pending": says(
            PENDING,
            {"succeeded": 0, "failed": 0, "pending": 4},
            still=4,
            of=4,
            status="BATCH_STATE_PENDING",
        ),
        "running": says(
            RUNNING,
            {"succeeded": 1, "failed": 0, "pending": 3},
            still=3,
            of=4,
            status="BATCH_STATE_RUNNING",
        ),
        "succeeded": says(
            COMPLETED, {"succeeded": 3, "failed": 1}, of=4, status="BATCH_STATE_SUCCEEDED"
        ),
        "succeeded, none of them": says(
            FAILED, {"succeeded": 0, "failed": 4}, of=4, status="BATCH_STATE_FAILED"
        ),
        "failed": says(
            FAILED, {"succeeded": 0, "failed": 0}, least_contacts=4, status="BATCH_STATE_FAILED"
        ),
        "cancelled": says(
            CANCELLED,
            {"succeeded": 1, "failed": 0},
            least_contacts=4,
            status="BATCH_STATE_CANCELLED",
        ),
        "expired": says(
            FAILED, {"succeeded": 2, "failed": 0}, least_contacts=4, status="BATCH_STATE_EXPIRED"
        ),
    },
    "mistral": {
        "QUEUED": says(PENDING, {"succeeded": 0, "failed": 0, "waiting": 100}, still=100, of=100),
        "RUNNING": says(RUNNING, {"succeeded": 30, "failed": 2, "waiting": 68}, still=68, of=100),
        "SUCCESS": says(COMPLETED, {"succeeded": 95, "failed": 5}, of=100),
        "SUCCESS of none": says(FAILED, {"succeeded": 0, "failed": 9}, of=9, status="FAILED"),
        "FAILED": says(FAILED, {"succeeded": 0, "failed": 0}, of=0),
        "TIMEOUT_EXCEEDED": says(FAILED, {"succeeded": 40, "failed": 3}, least_contacts=100),
        "CANCELLATION_REQUESTED": says(
            RUNNING, {"succeeded": 30, "failed": 2, "waiting": 68}, still=68, of=100
        ),
        "CANCELLED": says(CANCELLED, {"succeeded": 32, "failed": 2}, least_contacts=100),
    },
    "openai": {
        "validating": says(PENDING),
        "validating with zeros": says(
            PENDING, {"completed": 0, "failed": 0}, of=0, status="validating"
        ),
        "in_progress": says(
            RUNNING, {"completed": 30, "failed": 2, "processing": 68}, still=68, of=100
        ),
        "finalizing": says(RUNNING, {"completed": 95, "failed": 5}, of=100),
        "completed": says(COMPLETED, {"completed": 95, "failed": 5}, of=100),
        "completed, none succeeded": says(
            FAILED, {"completed": 0, "failed": 9}, of=9, status="failed"
        ),
        "failed": says(FAILED, {"completed": 0, "failed": 0}, of=0),
        "expired": says(FAILED, {"completed": 40, "failed": 3}, least_contacts=100),
        "cancelling": says(
            RUNNING, {"completed": 30, "failed": 2, "processing": 68}, still=68, of=100
        ),
        "cancelled": says(CANCELLED, {"completed": 32, "failed": 2}, least_contacts=100),
    },
    "sinch": {
        "queued": says(
            PENDING,
            {"queued": 100, "inProgress": 0, "completed": 0, "expired": 0},
            still=100,
            of=100,
        ),
        "running": says(
            RUNNING, {"queued": 5, "inProgress": 2, "completed": 93, "expired": 0}, still=7, of=100
        ),
        "ended": says(
            COMPLETED, {"queued": 0, "inProgress": 0, "completed": 97, "expired": 3}, of=100
        ),
        "all expired": says(
            FAILED,
            {"queued": 0, "inProgress": 0, "completed": 0, "expired": 100},
            of=100,
            status="expired",
        ),
    },
    "synthflow": {
        "scheduled": says(PENDING, {"dispatched": 0, "failed": 0, "pending": 10}, still=10, of=10),
        "in_progress": says(RUNNING, {"dispatched": 4, "failed": 1, "pending": 5}, still=5, of=10),
        "paused": says(PAUSED, {"dispatched": 4, "failed": 1, "pending": 5}, still=5, of=10),
        "completed": says(COMPLETED, {"dispatched": 9, "failed": 1}, of=10),
        "completed, none placed": says(
            FAILED, {"dispatched": 0, "failed": 10}, of=10, status="failed"
        ),
        "canceled": says(CANCELLED, {"dispatched": 4, "failed": 1}, least_contacts=10),
    },
    "vapi": {
        "scheduled": says(PENDING, vapi(0, 0, 0, 0, 0) | {"pending": 6}, still=6, of=6),
        "in-progress": says(RUNNING, vapi(1, 1, 1, 0, 1) | {"pending": 2}, still=3, of=6),
        "in-progress, not counted": says(RUNNING, status="in-progress"),
        "ended": says(COMPLETED, vapi(0, 3, 1, 1, 1), of=6),
        "cancelled": says(CANCELLED, vapi(1, 2, 0, 0, 0), still=1, least_contacts=6),
        "cancelled before it began": says(
            CANCELLED, vapi(0, 0, 0, 0, 0), least_contacts=6, status="cancelled"
        ),
        "ended by a user": says(
            CANCELLED, vapi(0, 3, 0, 0, 0), least_contacts=6, status="cancelled"
        ),
        "archived": says(COMPLETED, vapi(0, 5, 1, 0, 0), of=6, status="ended"),
        "archived after a cancel": says(
            CANCELLED, vapi(0, 3, 0, 0, 0), least_contacts=6, status="cancelled"
        ),
        "archived before it began": says(
            CANCELLED, vapi(0, 0, 0, 0, 0), least_contacts=6, status="archived"
        ),
    },
    "vapi-v1": {
        "scheduled": says(PENDING, {"ended": 0, "waiting": 3}, still=3, of=3),
        "in-progress": says(RUNNING, {"ended": 1, "waiting": 2}, still=2, of=3),
        "in-progress by a dial plan": says(
            RUNNING, {"ended": 1, "waiting": 2}, still=2, of=3, status="in-progress"
        ),
        "ended": says(COMPLETED, {"ended": 3}, of=3),
        "ended by a user": says(CANCELLED, {"ended": 2}, least_contacts=3, status="cancelled"),
        "ended by a user before it began": says(
            CANCELLED, {"ended": 0}, least_contacts=3, status="cancelled"
        ),
        "cancelled": says(CANCELLED, {"ended": 1}, least_contacts=3),
        "archived": says(COMPLETED, {"ended": 3}, of=3, status="ended"),
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


def documents(recipe: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((PAYLOADS / f"{recipe}.json").read_bytes())
    return found


@asynccontextmanager
async def made_by(recipe: str, origin: str, folder: Path) -> AsyncIterator[Provider]:
    """Build the provider of a recipe, which asks a server of ours."""
    text = (RECIPES / f"{recipe}.toml").read_text()
    text = re.sub(r'(?<=^url = ")https://[^/]+', origin, text, flags=re.MULTILINE)
    path = folder / "config.toml"
    path.write_text(text.replace('provider = "generic"\n', f'provider = "generic"\n{ACCESS}'))
    provider = build(load(path).sources[recipe], deadline=timedelta(seconds=HANG))
    try:
        yield provider
    finally:
        await provider.close()


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("recipe", "shown"), [(recipe, shown) for recipe in READINGS for shown in READINGS[recipe]]
)
async def test_a_documented_answer_is_this_reading(
    recipe: str, shown: str, api: MadeUpApi, tmp_path: Path
) -> None:
    batch_id, target, headers = ASKED[recipe]
    api.put(target, json.dumps(documents(recipe)[shown]).encode())

    async with made_by(recipe, api.origin, tmp_path) as provider:
        reading = await provider.read(batch_id, None)

    said: Fields = {"status": shown, "tells_live": False} | COMMON.get(recipe, {})
    assert reading == Reading(**said | READINGS[recipe][shown])
    assert {name: api.requests[0].headers.get(name) for name in headers} == headers


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_is_a_valid_file_of_at_most_30_lines(recipe: Path) -> None:
    config = load(recipe)

    settings = config.sources[recipe.stem]
    lines = [line for line in recipe.read_text().splitlines() if line and not line.startswith("#")]
    assert settings.provider == "generic"
    assert len(lines) <= 30
    assert f"[{recipe.name}]({recipe.name})" in (RECIPES / "README.md").read_text()


def test_every_recipe_and_every_payload_is_tested() -> None:
    assert set(ASKED) == {path.stem for path in RECIPES.glob("*.toml")}
    assert {recipe: set(READINGS[recipe]) for recipe in READINGS} == {
        path.stem: set(documents(path.stem)) for path in PAYLOADS.glob("*.json")
    }
