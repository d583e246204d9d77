import pytest

from monitor.core.errors import UnknownNameError
from monitor.facts.batch_id import short_ids, whole_id
from tests.cli.conftest import both
from tests.storage.store import Store

UUID = "3C90c3cc-0d44-4b50-8888-8dd25736052a"
LIKE = [f"batch_68a1{letter}xyz-of-a-longer-kind" for letter in "abcdef"]


@pytest.fixture(autouse=True)
async def ids(store: Store) -> None:
    """Let there be batches whose ids have beginnings in common."""
    await store.add(UUID, "campaign-1", "campaign-12", "123456", "12345678", "%%%%", *LIKE)
    await store.add("3c90c3ccffffffffffffffffffffffff", source="other")


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("3C90", UUID),
        ("3c90c3cc0d44", UUID),
        ("3c90C3CC-0d44-4", UUID),
        ("3c90c3cc0d444b5088888dd25736052a", "3c90c3cc0d444b5088888dd25736052a"),
        ("batch_68a1b", LIKE[1]),
        ("campaign-1", "campaign-1"),
        ("campaign-12", "campaign-12"),
        ("123456", "123456"),
        ("12345", "12345"),
        ("3C9", "3C9"),
        ("none-such", "none-such"),
        ("____", "____"),
    ],
)
@both
async def test_the_beginning_of_an_id_stands_for_the_only_batch_with_it(
    given: str, whole: str, store: Store
) -> None:
    assert await whole_id(store.database, "bolna", given) == whole


@both
async def test_of_several_five_are_named(store: Store) -> None:
    with pytest.raises(UnknownNameError) as several:
        await whole_id(store.database, "bolna", "batch_68a1")
    with pytest.raises(UnknownNameError) as two:
        await whole_id(store.database, "bolna", "campaign-")

    assert str(several.value) == (
        f"batch_68a1 begins the ids of several batches of bolna: {', '.join(LIKE[:5])} and more"
    )
    assert str(two.value).endswith("of bolna: campaign-1, campaign-12")


@both
async def test_what_a_screen_shows_of_an_id_stands_for_it(store: Store) -> None:
    ids = [UUID, "campaign-1", "campaign-12", "12345678", *LIKE]

    short = await short_ids(store.database, "bolna", ids)

    assert short == {
        UUID: "3C90c3cc",
        "campaign-1": "campaign-1",
        "campaign-12": "campaign-12",
        "12345678": "12345678",
        **{id_: id_[:12] for id_ in LIKE},
    }
    for id_, shown in short.items():
        assert await whole_id(store.database, "bolna", shown) == id_
