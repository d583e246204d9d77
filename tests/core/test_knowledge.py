from datetime import timedelta
from random import Random

from monitor.core.batch import Knowledge, Phase, Reading
from monitor.core.knowledge import CONFIRM_AFTER, _join, _repeats, learn
from tests.core.conftest import INTERVAL, LIMITS, START, STATUSES

WORDS = (*STATUSES, "Weird")


def random_reading(dice: Random) -> Reading:
    """Draw from so few values that many readings are the same again, or nearly."""
    status = dice.choice(WORDS)
    phase, outcome = STATUSES.get(status, (Phase.UNKNOWN, None))
    counts = dice.choice((None, {}, {"ringing": 0}, {"ringing": 1}, {"completed": 1}))
    return Reading(
        status=status,
        phase=phase,
        outcome=outcome,
        counts=counts,
        open_calls=(counts or {}).get("ringing", 0),
        live_calls=dice.choice((0, 0, 1)),
        parked_calls=dice.choice((0, 0, 0, 1)),
        counted=dice.random() > 0.1,
        total_contacts=dice.choice((None, None, 1)),
        least_contacts=dice.choice((None, None, None, 1)),
        name=dice.choice((None, None, "a", "b")),
        scheduled_at=dice.choice((None, None, None, START)),
    )


def test_a_reading_that_seems_to_repeat_the_last_one_would_change_nothing() -> None:
    dice = Random(11)
    seen = 0
    for _ in range(200):
        known: Knowledge | None = None
        reading = random_reading(dice)
        for poll in range(40):
            at = START + poll * INTERVAL
            if known is not None and _repeats(known, reading):
                seen += 1
                joined = _join(known, reading, confirm_after=INTERVAL * CONFIRM_AFTER, at=at)
                assert joined is known
            known = learn(known, reading, interval=INTERVAL, limits=LIMITS, at=at)
            if dice.random() < 0.3:
                reading = random_reading(dice)
    assert seen > 500


def test_the_usual_reading_repeats_the_last_one() -> None:
    reading = Reading(status="running", phase=Phase.RUNNING, counts={"ringing": 1}, open_calls=1)
    known = learn(None, reading, interval=INTERVAL, limits=LIMITS, at=START)

    assert _repeats(known, reading)
    assert (
        learn(known, reading, interval=INTERVAL, limits=LIMITS, at=START + timedelta(seconds=30))
        is known
    )
