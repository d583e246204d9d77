"""Random lives: seeded, for who watches many batches and does not mind how each one goes."""

from monitor.simulator import bolna, vogent
from monitor.simulator.bolna import Ending, Generation, bolna_life
from monitor.simulator.lives import Clock, Life
from monitor.simulator.story import seeded
from monitor.simulator.vogent import JobEnding, vogent_life


def random_bolna_life(
    batch_id: str,
    *,
    created_at: str = bolna.CREATED_AT,
    seed: object = 0,
    seconds: float = 30.0,
    clock: Clock | None = None,
) -> Life:
    """Live one batch of a seeded kind: either generation, any ending, lag and retry or not."""
    dice = seeded(("kind", batch_id, seed))
    return bolna_life(
        batch_id,
        contacts=dice.randint(1, 40),
        generation=dice.choice(list(Generation)),
        ending=dice.choice((Ending.COMPLETED, Ending.COMPLETED, Ending.STOPPED, Ending.FAILED)),
        lag=dice.random() < 0.5,
        retry=dice.random() < 0.3,
        created_at=created_at,
        seed=seed,
        seconds=seconds,
        clock=clock,
    )


def random_vogent_life(
    job_id: str,
    *,
    created_at: str = vogent.CREATED_AT,
    seed: object = 0,
    seconds: float = 30.0,
    clock: Clock | None = None,
) -> Life:
    """Live one job of a seeded kind: any ending, up to three pauses."""
    dice = seeded(("kind", job_id, seed))
    return vogent_life(
        job_id,
        contacts=dice.randint(1, 40),
        pauses=dice.randint(0, 3),
        ending=dice.choice(list(JobEnding)),
        created_at=created_at,
        seed=seed,
        seconds=seconds,
        clock=clock,
    )
