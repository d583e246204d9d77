from collections.abc import AsyncIterator

import aiohttp
import pytest

from monitor.simulator.bolna import SimulatedBolna, bolna_document

KEY = "the key"


@pytest.fixture
async def bolna() -> AsyncIterator[SimulatedBolna]:
    """Serve one running batch, `b1`."""
    async with SimulatedBolna(key=KEY) as api:
        api.put("b1", bolna_document("b1", status="running"))
        yield api


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Send the right key."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session
