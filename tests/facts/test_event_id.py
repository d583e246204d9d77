import pytest

from monitor.core.errors import UnknownNameError
from monitor.facts.event_id import whole_id
from tests.cli.conftest import both
from tests.storage.store import MINUTE, NOW, Store


@pytest.fixture
async def ids(store: Store) -> list[str]:
    """Let there be events whose ids have beginnings in common."""
    ids = [f"evt_AB{letter}".ljust(30, "7") for letter in "CDEFGH"] + ["evt_QENN".ljust(30, "2")]
    await store.add("x")
    for sequence, id_ in enumerate(ids, start=1):
        await store.tell("x", receivers=(), at=NOW + sequence * MINUTE)
        await store.run("UPDATE events SET id = :id WHERE sequence = :n", id=id_, n=sequence)
    return ids


@pytest.mark.parametrize("given", ["evt_QENN", "evt_qenn22", "EVT_Q", "evt_QENN".ljust(30, "2")])
@pytest.mark.usefixtures("ids")
@both
async def test_the_beginning_of_an_id_stands_for_it_in_any_case(given: str, store: Store) -> None:
    assert await whole_id(store.database, given) == "evt_QENN".ljust(30, "2")


@pytest.mark.parametrize("given", ["evt_ABZ", "evt_", "QENN", "12", "evt_%", "evt_\udcff"])
@pytest.mark.usefixtures("ids")
async def test_what_begins_no_id_stands_for_none(given: str, store: Store) -> None:
    assert await whole_id(store.database, given) is None


@both
async def test_of_several_five_are_named(ids: list[str], store: Store) -> None:
    with pytest.raises(UnknownNameError) as raised:
        await whole_id(store.database, "evt_ab")

    assert str(raised.value) == (
        f"evt_ab begins the ids of several events: {', '.join(ids[:5])} and more"
    )
