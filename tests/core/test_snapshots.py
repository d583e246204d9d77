from typing import TYPE_CHECKING

from tests.core.names import COUNTS, FIRST, STATUS

if TYPE_CHECKING:
    from tests.core.conftest import Life


def test_a_snapshot_is_kept_of_a_reading_that_differs(life: "Life") -> None:
    life.reads("queued", {"queued": 2})
    life.reads("queued", {"queued": 2})
    life.reads("running", {"queued": 2})
    life.reads("running", {"queued": 1, "ringing": 1})
    life.reads("running", None)

    kept = [(shot.number, shot.known.status, shot.known.counts) for shot in life.snapshots]

    assert kept == [
        (1, "queued", {"queued": 2}),
        (2, "running", {"queued": 2}),
        (3, "running", {"queued": 1, "ringing": 1}),
    ]
    assert [shot.at for shot in life.snapshots] == [
        event.at for event in life.events if event.type in {FIRST, STATUS, COUNTS}
    ]


def test_a_batch_that_settles_without_moving_leaves_no_snapshot(life: "Life") -> None:
    life.reads("COMPLETE")
    life.reads("COMPLETE")

    assert life.settled
    assert len(life.snapshots) == 1
    assert life.watch.snapshots == 1


def test_an_unchanged_reading_leaves_what_is_known_untouched(life: "Life") -> None:
    life.reads("running", {"ringing": 2}, total_contacts=3)
    before = life.known

    life.reads("running", {"ringing": 2}, total_contacts=3)

    assert life.known is before


def test_what_is_known_tells_since_when_the_batch_is_quiet(life: "Life") -> None:
    life.reads("queued", {"queued": 1})
    life.reads("running", {"queued": 1})
    moved_at = life.watch.observed_at
    life.reads("running", {"queued": 1})

    assert life.known.changed_at == life.known.phase_since == moved_at
