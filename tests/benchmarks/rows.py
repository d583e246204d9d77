"""The rows: what is compared with what, and the target that each ratio has to meet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.benchmarks.bench import Bench, DiscoveryAnswer
from tests.benchmarks.delivering import bare_posts, deliveries
from tests.benchmarks.latency import latency
from tests.benchmarks.polling import bare, polls

Round = Mapping[str, DiscoveryAnswer]
"""What one round found, by measurement."""

SIZES: Final = ("polls, few", "polls, more", "polls, many")
"""The measurements of polls out of a small, a middle and a large table."""
MEASUREMENTS: Final[Mapping[str, Callable[[Bench], DiscoveryAnswer]]] = {
    "bare client": partial(bare, "client"),
    SIZES[0]: partial(polls, 0),
    "bare prepared": partial(bare, "prepared"),
    "bare reused": partial(bare, "reused"),
    "bare default": partial(bare, "default"),
    SIZES[1]: partial(polls, 1),
    "polls, two daemons": partial(polls, 1, daemons=2),
    SIZES[2]: partial(polls, 2),
    "bare posts": bare_posts,
    "deliveries": deliveries,
    "latency": latency,
}
"""In the order in which each round takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold one line of the table: how it is worked out of one round, and its target."""

    number: str
    what: str
    needs: tuple[str, ...]
    value: Callable[[Round], float]
    bound: float | None
    """None: for comparison only."""
    at_most: bool = False
    postgres_only: bool = False

    def met(self, value: float) -> bool:
        """Tell whether a value meets the target."""
        return self.bound is None or (value <= self.bound if self.at_most else value >= self.bound)


def _ratio(above: str, below: str, figure: str = "per_cpu_second") -> Callable[[Round], float]:
    return lambda found: found[above][figure] / found[below][figure]


def _whole_cost(found: DiscoveryAnswer) -> float:
    """Return CPU µs of a poll, those of Postgres too: it is there that a large table would cost."""
    return found["cpu_us_each"] + found.get("postgres_us_each", 0)


def _memory_each(found: Round) -> float:
    """Return KiB per batch: what many have more than few, for each that they are more."""
    few, many = found[SIZES[0]], found[SIZES[2]]
    return 1024 * (many["peak_mib"] - few["peak_mib"]) / (many["batches"] - few["batches"])


def _latency_ratio(found: Round) -> float:
    delays = found["latency"]
    return delays["p99_ms"] / (delays["post_p50_ms"] + delays["commit_p50_ms"])


ROWS: Final = (
    Row(
        number="1",
        what="polls per CPU second ÷ AsyncClient.get + json.loads",
        needs=("bare client", SIZES[0]),
        value=_ratio(SIZES[0], "bare client"),
        bound=1.2,
    ),
    Row(
        number="2",
        what="÷ a request prepared for each, straight to the transport",
        needs=("bare prepared", SIZES[0]),
        value=_ratio(SIZES[0], "bare prepared"),
        bound=0.7,
    ),
    Row(
        number="2b",
        what="÷ requests all prepared before, straight to the transport",
        needs=("bare reused", SIZES[0]),
        value=_ratio(SIZES[0], "bare reused"),
        bound=None,
    ),
    Row(
        number="3",
        what="÷ httpx's default transport and limits, 100 at a time",
        needs=("bare default", SIZES[0]),
        value=_ratio(SIZES[0], "bare default"),
        bound=8,
    ),
    Row(
        number="4",
        what="polls per CPU second (Prometheus + blackbox exporter: 721)",
        needs=(SIZES[0],),
        value=lambda found: found[SIZES[0]]["per_cpu_second"],
        bound=3000,
    ),
    Row(
        number="5",
        what="cost of a poll, many batches ÷ few",
        needs=SIZES,
        value=lambda found: _whole_cost(found[SIZES[2]]) / _whole_cost(found[SIZES[0]]),
        bound=1.1,
        at_most=True,
    ),
    Row(
        number="6",
        what="signed deliveries per CPU second ÷ bare signed posts",
        needs=("bare posts", "deliveries"),
        value=_ratio("deliveries", "bare posts"),
        bound=0.6,
    ),
    Row(
        number="7",
        what="reading to webhook at 500 polls/s, p99 ÷ p50 of (bare post + commit)",
        needs=("latency",),
        value=_latency_ratio,
        bound=10,
        at_most=True,
    ),
    Row(
        number="8",
        what="memory per registered batch, KiB",
        needs=(SIZES[0], SIZES[2]),
        value=_memory_each,
        bound=1,
        at_most=True,
    ),
    Row(
        number="8b",
        what="memory of the whole daemon with many batches, MiB",
        needs=(SIZES[2],),
        value=lambda found: found[SIZES[2]]["peak_mib"],
        bound=200,
        at_most=True,
    ),
    Row(
        number="9",
        what="polls per CPU second, two daemons ÷ one",
        needs=(SIZES[1], "polls, two daemons"),
        value=_ratio("polls, two daemons", SIZES[1]),
        bound=0.9,
        postgres_only=True,
    ),
)
