"""Answers share so much room: who comes first is served first, and nothing leaks."""

import asyncio
from contextlib import suppress

import pytest

from monitor.net.room import Place, Room


def begin(room: Room, size: int) -> tuple[Place, "asyncio.Task[None]"]:
    place = Place(room)
    return place, asyncio.create_task(place.take(size))


async def turn() -> None:
    """Let all others go on as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_has_room_need_not_wait() -> None:
    room = Room(10)

    await Place(room).take(4)
    await Place(room).take(6)


async def test_whoever_comes_first_is_served_first_though_there_is_room_for_the_next() -> None:
    room = Room(10)
    first = Place(room)
    await first.take(8)
    large, takes_large = begin(room, 9)
    _, takes_small = begin(room, 1)
    await turn()
    assert not takes_large.done()
    assert not takes_small.done()

    first.leave()
    await turn()
    assert takes_large.done()
    assert takes_small.done()

    _, takes_last = begin(room, 10)
    large.leave()
    await turn()
    assert not takes_last.done()
    takes_last.cancel()


@pytest.mark.parametrize("given", ["before", "with it", "after"])
async def test_whoever_gives_up_takes_nothing_with_him(given: str) -> None:
    room = Room(10)
    first = Place(room)
    await first.take(10)
    _, takes = begin(room, 10)
    _, takes_next = begin(room, 10)
    await turn()
    if given == "before":
        first.leave()
    takes.cancel()
    if given == "with it":
        first.leave()
    with suppress(asyncio.CancelledError):
        await takes
    first.leave()

    await turn()

    assert takes_next.done()


async def test_two_that_give_up_together_leave_all_as_it_was() -> None:
    room = Room(10)
    first = Place(room)
    await first.take(10)
    waiting = [begin(room, size)[1] for size in (8, 8, 3)]
    await turn()

    for one in waiting:
        one.cancel()
    first.leave()
    await asyncio.wait(waiting)

    await Place(room).take(10)


async def test_a_place_may_need_room_in_several() -> None:
    own, common = Room(5), Room(8)
    large, other = Place(own, common), Place(common)
    await large.take(5)
    _, takes = begin(own, 1)
    await turn()
    assert not takes.done()

    await other.take(3)
    large.leave()
    await turn()

    assert takes.done()
    await Place(common).take(5)


async def test_a_place_is_left_once() -> None:
    room = Room(10)
    place = Place(room)
    await place.take(10)

    place.leave()
    place.leave()
    await Place(room).take(10)
    _, takes = begin(room, 1)
    await turn()

    assert not takes.done()
    takes.cancel()


async def test_who_takes_anew_gives_back_what_he_had() -> None:
    place = Place(Room(10))

    await place.take(6)
    await place.take(10)
