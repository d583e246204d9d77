from monitor.core.batch import Outcome, Phase
from monitor.screen.console import style_of


def test_what_waits_or_runs_is_not_drawn_as_what_is_wrong() -> None:
    alarming = {style_of(word) for word in (Phase.UNKNOWN, Outcome.FAILED, Outcome.CANCELLED)}

    assert not alarming & {style_of(word) for word in (Phase.PENDING, Phase.RUNNING, Phase.PAUSED)}
