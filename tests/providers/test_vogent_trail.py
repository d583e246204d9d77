from monitor.providers import vogent_trail
from monitor.providers.vogent_page import Page
from monitor.providers.vogent_trail import Trail, Trails


def page(first: int, *, rows: int = 2, cursor: str | None = "next") -> Page:
    return Page(rows={f"d{first + n}": "completed" for n in range(rows)}, cursor=cursor)


def test_a_bookmark_moves_over_page_after_page_and_keeps_the_first_as_its_proof() -> None:
    trail = Trail()

    assert trail.seal(page(0, cursor="2"))
    assert trail.seal(page(2, cursor="4"))

    assert trail.bookmark is not None
    assert trail.bookmark.first == page(0).rows
    assert trail.bookmark.rows == page(0, rows=4).rows
    assert trail.bookmark.cursor == "4"


def test_the_last_page_is_not_sealed_since_it_may_grow() -> None:
    trail = Trail()

    assert not trail.seal(page(0, cursor=None))
    assert trail.bookmark is None


def test_without_trust_there_is_no_bookmark() -> None:
    trail = Trail()
    trail.seal(page(0))

    trail.distrust()

    assert trail.bookmark is None
    assert not trail.seal(page(0))


def test_a_trail_is_taken_out_once() -> None:
    trails, trail = Trails(), Trail(censuses=3)
    trails.put("j1", trail)

    assert trails.pop("j1") is trail
    assert trails.pop("j1") == Trail()


def test_the_oldest_trails_go_when_there_are_too_many() -> None:
    trails = Trails()
    for n in range(vogent_trail.TRAILS_LIMIT + 2):
        trails.put(f"j{n}", Trail(censuses=n))

    kept = [trails.pop(f"j{n}").censuses for n in (1, 2, vogent_trail.TRAILS_LIMIT + 1)]

    assert kept == [0, 2, vogent_trail.TRAILS_LIMIT + 1]


def test_the_oldest_trails_go_when_they_remember_too_many_calls() -> None:
    trails = Trails()
    for n in range(3):
        trail = Trail()
        trail.seal(page(0, rows=vogent_trail.ROWS_LIMIT // 2))
        trails.put(f"j{n}", trail)

    assert [trails.pop(f"j{n}").bookmark is None for n in range(3)] == [True, False, False]
