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


def test_a_process_takes_as_many_as_the_system_allows() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = descriptors.MOST if hard == resource.RLIM_INFINITY else min(hard, descriptors.MOST)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))

    descriptors.raise_limit()

    assert descriptors.limit() == most
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


def test_a_limit_is_never_lowered() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    descriptors.raise_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_whether_a_descriptor_is_to_be_had_is_tried() -> None:
    with no_descriptors():
        assert descriptors.are_out()

    assert not descriptors.are_out()
