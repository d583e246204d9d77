import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from monitor.core.batch import Phase
from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.engine.ports import Provider
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.simulator.faults import Fault

KEY = "the key"
Reader = Callable[..., AbstractAsyncContextManager[Provider]]


async def failure(
    provider: AbstractAsyncContextManager[Provider], batch_id: str = "b1"
) -> PollError:
    async with provider as opened:
        with pytest.raises(PollError) as caught:
            await opened.read(batch_id)
    return caught.value


async def test_a_missing_key_is_no_request(
    bolna: SimulatedBolna, tmp_path: Path, reader: Reader
) -> None:
    error = await failure(reader(bolna, api_key_file=str(tmp_path / "key")))

    assert error.kind is FailureKind.KEY_MISSING
    assert bolna.served == []


@pytest.mark.parametrize("key", ["a\nb", "schlüssel", "a\0b"])
async def test_a_key_that_no_header_can_carry_is_missing(
    bolna: SimulatedBolna, key: str, tmp_path: Path, reader: Reader
) -> None:
    file = tmp_path / "key"
    file.write_text(key)

    error = await failure(reader(bolna, api_key_file=str(file)))

    assert error.kind is FailureKind.KEY_MISSING
    assert bolna.served == []


@pytest.mark.parametrize("code", [401, 403])
async def test_a_rotated_key_is_read_without_a_failed_poll(
    bolna: SimulatedBolna, tmp_path: Path, code: int, reader: Reader
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    async with reader(bolna, api_key_file=str(file)) as provider:
        await provider.read("b1")
        bolna.key = "the next key"
        bolna.wrong_key_code = code
        file.write_text("the next key\n")

        reading = await provider.read("b1")

    assert reading.phase is Phase.RUNNING
    assert [served.status_code for served in bolna.served] == [200, code, 200]


async def test_a_refused_key_that_stayed_the_same_is_not_tried_again(
    bolna: SimulatedBolna, reader: Reader
) -> None:
    error = await failure(reader(bolna, api_key="wrong"))

    assert (error.kind, len(bolna.served)) == (FailureKind.UNAUTHORIZED, 1)


async def test_a_refused_key_that_is_gone_is_missing(
    bolna: SimulatedBolna, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    monkeypatch.setenv("BOLNA_KEY_OF_TEST", KEY)
    async with reader(bolna, api_key_env="BOLNA_KEY_OF_TEST") as provider:
        await provider.read("b1")
        os.environ.pop("BOLNA_KEY_OF_TEST")
        await provider.read("b1")
        bolna.key = "the next key"

        with pytest.raises(PollError) as caught:
            await provider.read("b1")

    assert caught.value.kind is FailureKind.KEY_MISSING


async def test_the_key_is_in_no_error(bolna: SimulatedBolna, reader: Reader) -> None:
    bolna.fault(Fault.unauthorized())

    error = await failure(reader(bolna, api_key="hunter2"))

    assert "hunter2" not in repr(error) + repr(error.__cause__) + repr(error.__context__)


async def test_no_repr_shows_the_key(bolna: SimulatedBolna, reader: Reader) -> None:
    """A traceback with its locals shows what a provider is made of."""
    bolna.put("b1", bolna_document("b1"))
    async with reader(bolna) as provider:
        await provider.read("b1")
        shown = [repr(provider), *map(repr, vars(provider).values())]

    assert "Api" in "".join(shown)
    assert KEY not in "".join(shown)
