import resource
from collections.abc import Iterator

import pytest

from monitor import descriptors
from tests.descriptors import no_descriptors


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("soft", "taken"), [(512, 600), (700, 700)])
def test_a_process_takes_as_many_as_are_of_use_and_never_fewer_than_it_has(
    monkeypatch: pytest.MonkeyPatch, soft: int, taken: int
) -> None:
    monkeypatch.setattr(descriptors, "MOST", 600)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    descriptors.raise_limit()

    assert descriptors.limit() == taken
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


def test_a_limit_that_the_system_sets_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "MOST", 2**40)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))

    descriptors.raise_limit()

    assert descriptors.limit() == min(hard, 2**40)


def test_whether_a_descriptor_is_to_be_had_is_tried() -> None:
    with no_descriptors():
        assert descriptors.are_out()

    assert not descriptors.are_out()
