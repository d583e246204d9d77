"""Errors say enough for whoever meets them, in another process too."""

import pickle
from datetime import timedelta

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind


def test_another_process_raises_the_same_error_of_a_poll() -> None:
    error = PollError(
        FailureKind.EXPRESSION,
        200,
        timedelta(seconds=5),
        expression="counts",
        reason="must be an array",
    )

    raised = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert str(raised) == str(error)
    assert vars(raised) == vars(error)
