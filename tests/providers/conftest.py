import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.engine.ports import Provider
from monitor.providers import BolnaSettings, VogentSettings, build
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from monitor.simulator.server import SimulatedApi
from monitor.simulator.vogent import SimulatedVogent
from tests.patient import HANG

KEY = "the key"
Payload = Callable[[str], bytes]
Encode = Callable[..., bytes]
Reader = Callable[..., AbstractAsyncContextManager[Provider]]


@pytest.fixture
def payload() -> Payload:
    """Read a recorded or documented answer."""
    folder = Path(__file__).parent / "payloads"
    return lambda name: (folder / name).read_bytes()


@pytest.fixture
def bolna_batch() -> Encode:
    """Encode a minimal Bolna document; fields replace or add."""

    def encode(**fields: Any) -> bytes:
        return json.dumps({"batch_id": "b1", "status": "running"} | fields).encode()

    return encode


@pytest.fixture
async def bolna() -> AsyncIterator[SimulatedBolna]:
    """Serve one running batch, `b1`."""
    async with SimulatedBolna(key=KEY) as api:
        api.put("b1", bolna_document("b1", status="running"))
        yield api


@asynccontextmanager
async def _reader(
    api: SimulatedApi, *, deadline: float = HANG, **fields: Any
) -> AsyncIterator[Provider]:
    kind = VogentSettings if isinstance(api, SimulatedVogent) else BolnaSettings
    given: dict[str, Any] = {
        "provider": "vogent" if isinstance(api, SimulatedVogent) else "bolna",
        "base_url": api.base_url,
        "allow_http": True,
        "allow_private": True,
        "rate_limit": "1000000/s",
    } | (fields or {"api_key": KEY})
    provider: Provider = build(kind.model_validate(given), deadline=timedelta(seconds=deadline))
    try:
        yield provider
    finally:
        await provider.close()


@pytest.fixture
def reader() -> Reader:
    """Open a provider of a simulated API, with other settings where given."""
    return _reader
