"""The recipes' lists: of each, a documented page is read, and the next one asked for."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.providers.generic_finder import GenericFinder
from tests.providers.made_up_api import MadeUpApi
from tests.providers.test_recipes import RECIPES, keys, made_by

__all__ = ["keys"]  # a fixture

PAYLOADS = Path(__file__).parent / "payloads" / "recipe_lists"
"""Of each recipe: the first page of its list, made up, with the fields of the official type."""
UUID = "3f6f2f5e-4f4b-4f0e-9a4e-2b6d1a5c7e90"
OLDER = "0b8f6a54-2c1e-4f57-8d0a-6b2f0c9d7e13"

Found = tuple[list[tuple[str, str, str]], Mapping[str, object]]
"""Ids, when they were created, status words; what the next page is asked for by."""

FOUND: Mapping[str, Found] = {
    "anthropic": (
        [
            ("msgbatch_013Zva2CMHLNnXjNJJKqJ2EF", "2026-01-01T01:00:00.372114", "in_progress"),
            ("msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", "2025-12-31T01:00:00.372114", "ended"),
        ],
        {"after_id": "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"},
    ),
    "bedrock": (
        [
            ("a1b2c3d4e5f6", "2026-01-01T00:00:00", "InProgress"),
            ("z9y8x7w6v5u4", "2025-12-31T00:00:00", "Failed"),
        ],
        {"nextToken": "AQICAHh0b2tlbi1vZi10aGUtbmV4dC1wYWdl"},
    ),
    "bolna-campaigns": (
        [(UUID, "2026-10-01T06:00:00", "running"), (OLDER, "2026-09-01T06:00:00", "aborted")],
        {"offset": 2},
    ),
    "cartesia": (
        [
            ("acb_1", "2026-03-01T09:00:00", "in_progress"),
            ("acb_0", "2026-02-01T09:00:00", "cancelled"),
        ],
        {"starting_after": "acb_0"},
    ),
    "elevenlabs": (
        [
            ("btcal_1", "2026-01-01T00:00:00", "in_progress"),
            ("btcal_0", "2025-12-31T00:00:00", "completed"),
        ],
        {"last_doc": "btcal_0"},
    ),
    "gemini": (
        [
            ("1234567891", "2026-09-01T04:13:24.263450", "BATCH_STATE_RUNNING"),
            ("1234567890", "2026-08-01T04:13:24.263450", "BATCH_STATE_EXPIRED"),
        ],
        {"pageToken": "Chp0b2tlbi1vZi10aGUtbmV4dC1wYWdl"},
    ),
    "mistral": (
        [(UUID, "2026-01-01T00:00:00", "RUNNING"), (OLDER, "2025-12-31T00:00:00", "CANCELLED")],
        {"page": 1},
    ),
    "openai": (
        [
            ("batch_abc123", "2026-01-01T00:00:00", "in_progress"),
            ("batch_abc122", "2025-12-31T23:00:00", "cancelled"),
        ],
        {"after": "batch_abc122"},
    ),
    "synthflow": (
        [(UUID, "2026-08-01T09:00:00", "in_progress"), (OLDER, "2026-07-01T09:00:00", "canceled")],
        {"offset": 100},
    ),
    "vapi": (
        [(UUID, "2026-04-30T08:00:00", "in-progress"), (OLDER, "2026-04-01T08:00:00", "ended")],
        {"page": 2},
    ),
}

LAST: Mapping[str, dict[str, Any]] = {
    "anthropic": {"has_more": False},
    "bedrock": {"nextToken": None},
    "bolna-campaigns": {"items": [], "offset": 2},
    "cartesia": {"has_more": False},
    "elevenlabs": {"has_more": False, "next_doc": None},
    "gemini": {"nextPageToken": None},
    "openai": {"has_more": False},
    "synthflow": {"response": {"pagination": {"limit": 100, "offset": 100}, "batch_calls": []}},
}
"""What is otherwise in the last page; where pages are counted, an empty one is the last."""
NAMELESS = ("anthropic", "mistral", "openai")
"""Their batches have no names."""


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


def page_of(recipe: str) -> dict[str, Any]:
    page: dict[str, Any] = json.loads((PAYLOADS / f"{recipe}.json").read_bytes())
    return page


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("recipe", FOUND)
async def test_a_documented_list_is_read_to_its_end(
    recipe: str, api: MadeUpApi, tmp_path: Path
) -> None:
    items, following = FOUND[recipe]
    page = page_of(recipe)
    last = LAST.get(recipe, {"data": [], "results": []})
    asked = api.answer_all(json.dumps(page | last).encode())

    async with made_by(recipe, api.origin, tmp_path) as provider:
        finder = provider.finder
        assert isinstance(finder, GenericFinder)
        listing = finder._listing
        found = listing.settings.items.evaluate(page)
        assert isinstance(found, list)
        read = [listing._read_item(item) for item in found]
        first = urlsplit(finder._settings.url)
        api.put(f"{first.path}?{first.query}", json.dumps(page).encode())
        answers = [one async for one in finder.find(now=datetime.fromisoformat(f"{items[1][1]}Z"))]

    assert [(id_, at and at.isoformat()[:-6], status) for id_, at, status in read] == items
    assert set(answers[0].ids) == {item[0] for item in items}
    assert {bool(one.name) for one in answers[0].batches} == {recipe not in NAMELESS}
    assert len(answers) == len(asked) == 2
    query = parse_qs(urlsplit(asked[1].path_qs).query)
    assert {name: query[name] for name in following} == {
        name: [str(value)] for name, value in following.items()
    }


def test_every_list_is_tested() -> None:
    assert set(FOUND) == {path.stem for path in PAYLOADS.glob("*.json")}
    assert set(FOUND) == {
        path.stem for path in RECIPES.glob("*.toml") if ".discover]" in path.read_text()
    }
