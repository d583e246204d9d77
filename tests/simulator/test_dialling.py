import pytest

from monitor.simulator.dialling import cancelled, dialled, lists_of
from monitor.simulator.story import seeded

FINAL = {"completed", "no-answer", "busy", "failed"}


@pytest.mark.parametrize("contacts", [1, 7, 240])
@pytest.mark.parametrize("seed", range(5))
def test_contacts_are_dialled_in_their_order_until_none_is_left(contacts: int, seed: int) -> None:
    course = list(dialled(contacts, seeded(seed)))

    assert course[0] == ("queued",) * contacts
    assert all(len(stands) == contacts for stands in course)
    assert set(course[-1]) <= FINAL
    for stands in course:
        waiting = [stand == "queued" for stand in stands]
        assert waiting == sorted(waiting)


def test_a_call_on_its_way_is_in_neither_list() -> None:
    lists = lists_of("j1", ("busy", "", "ringing", "queued"))

    assert lists == {
        "queue": [{"id": "j1-c3"}],
        "dials": [{"id": "j1-d0", "status": "busy"}, {"id": "j1-d2", "status": "ringing"}],
    }


def test_a_cancelled_job_has_no_queue_and_no_open_call() -> None:
    assert cancelled(("busy", "", "ringing", "queued")) == ("busy", "canceled", "canceled", "")
