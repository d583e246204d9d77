from typing import Any

import aiohttp
import pytest

from monitor.simulator.lives import Life, step
from monitor.simulator.paging import Paging
from monitor.simulator.vogent import SimulatedVogent, vogent_document

ROWS = [{"id": f"d{n}", "status": "busy"} for n in range(5)]


async def pages(http: aiohttp.ClientSession, paging: Paging, *cursors: str) -> list[Any]:
    """Fetch the first page and those at the cursors: their ids, and the next cursor."""
    shown = []
    async with SimulatedVogent(key="the key") as vogent:
        vogent.paging = paging
        vogent.put("j1", Life([step(vogent_document("j1"), lists={"dials": ROWS})]))
        for cursor in ("0", *cursors):
            url = f"{vogent.base_url}/batch_dial_jobs/j1/dials?limit=3&cursor={cursor}"
            async with http.get(url) as response:
                page = await response.json()
            shown.append((" ".join(row["id"] for row in page["data"]), page["cursor"]))
    return shown


@pytest.mark.parametrize(
    ("paging", "cursor", "expected"),
    [
        (Paging(), "3", [("d0 d1 d2", "3"), ("d3 d4", None)]),
        (Paging(newest_first=True), "3", [("d4 d3 d2", "3"), ("d1 d0", None)]),
        (Paging(most_rows=2), "2", [("d0 d1", "2"), ("d2 d3", "4")]),
        (Paging(overlap=1), "2", [("d0 d1 d2", "2"), ("d2 d3 d4", None)]),
        (Paging(repeats_cursor=True), "3", [("d0 d1 d2", "3"), ("d3 d4", "3")]),
    ],
)
async def test_pages_come_as_they_are_told(
    http: aiohttp.ClientSession, paging: Paging, cursor: str, expected: list[Any]
) -> None:
    assert await pages(http, paging, cursor) == expected


@pytest.mark.parametrize("size", [0, 100, 100_000])
async def test_a_transcript_is_about_as_long_as_told(
    http: aiohttp.ClientSession, size: int
) -> None:
    async with SimulatedVogent(key="the key") as vogent:
        vogent.paging.transcript_bytes = size
        vogent.put("j1", Life([step(vogent_document("j1"), lists={"dials": ROWS})]))
        async with http.get(f"{vogent.base_url}/batch_dial_jobs/j1/dials") as response:
            (said, *_) = (await response.json())["data"][0]["transcript"]

    assert size - 50 < len(said["text"]) <= size
