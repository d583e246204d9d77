from typing import Any

import pytest

from docs.generate.chart import draw
from docs.generate.drawing import THEMES, Theme
from tests.benchmarks.bench import Sizes
from tests.benchmarks.report import as_json, as_text, costs
from tests.benchmarks.rows import MEASUREMENTS, ROWS
from tests.benchmarks.run import Run

SIZES = Sizes(seconds=5, batches=(1_000, 10_000, 100_000), backlog=10_000, pace=500)


def found(**about: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return a round in which all rates and costs are 100, but for what is given."""
    usual = {
        "per_cpu_second": 100.0,
        "cpu_us_each": 100.0,
        "peak_mib": 100.0,
        "p99_ms": 100.0,
        "post_p50_ms": 40.0,
        "commit_p50_ms": 60.0,
    }
    sizes = {
        f"polls, {size}": n for size, n in zip(("few", "more", "many"), SIZES.batches, strict=True)
    }
    return {
        name: usual | {"batches": sizes.get(name, 0)} | about.get(name, {}) for name in MEASUREMENTS
    }


def run_of(*rounds: dict[str, dict[str, float]], kind: str = "postgresql") -> Run:
    run = Run(rows=ROWS, kinds=[kind], rounds=len(rounds), sizes=SIZES, target="nginx")
    run.found[kind] = list(rounds)
    return run


def line_of(run: Run, row: str) -> dict[str, Any]:
    lines: dict[str, dict[str, Any]] = {line["row"]: line for line in as_json(run)["rows"]}
    return lines[row]


def text_of(run: Run, row: str) -> str:
    (line,) = (line for line in as_text(run).splitlines() if line.startswith(f"{row} "))
    return line


def test_every_row_of_the_targets_is_printed_and_written() -> None:
    run = run_of(found())

    assert [line["row"] for line in as_json(run)["rows"]] == [row.number for row in ROWS]
    assert all(row.what in text_of(run, row.number) for row in ROWS)


def test_on_sqlite_there_is_no_second_daemon() -> None:
    run = run_of(found(), kind="sqlite")

    assert "9" not in [line["row"] for line in as_json(run)["rows"]]


@pytest.mark.parametrize(
    ("row", "name", "figure", "value", "verdict"),
    [
        ("1", "polls, few", "per_cpu_second", 120.0, "met"),
        ("1", "polls, few", "per_cpu_second", 90.0, "missed by 0.30 (25%)"),
        ("5", "polls, many", "cpu_us_each", 110.0, "met"),
        ("5", "polls, many", "cpu_us_each", 220.0, "missed by 1.10 (100%)"),
        ("7", "latency", "p99_ms", 1_000.0, "met"),
        ("7", "latency", "p99_ms", 1_500.0, "missed by 5.00 (50%)"),
        ("8b", "polls, many", "peak_mib", 250.0, "missed by 50.0 (25%)"),
        ("9", "polls, two daemons", "per_cpu_second", 45.0, "missed by 0.45 (50%)"),
    ],
)
def test_a_row_says_whether_its_target_is_met_or_missed_by_how_much(
    row: str, name: str, figure: str, value: float, verdict: str
) -> None:
    run = run_of(found(**{name: {figure: value}}))

    assert text_of(run, row).endswith(f"  {verdict}")
    assert line_of(run, row)["met"] is (verdict == "met")


def test_the_median_of_the_rounds_counts() -> None:
    rates = (110.0, 130.0, 500.0)
    run = run_of(*(found(**{"polls, few": {"per_cpu_second": rate}}) for rate in rates))

    line = line_of(run, "1")

    assert (line["min"], line["median"], line["max"]) == (1.1, 1.3, 5.0)


def test_memory_of_a_batch_is_what_many_have_more_than_few() -> None:
    run = run_of(found(**{"polls, many": {"peak_mib": 100 + 99_000 / 1024}}))

    assert line_of(run, "8")["median"] == pytest.approx(1)


@pytest.mark.parametrize("theme", THEMES)
def test_the_chart_has_a_line_for_each_kind_of_database(theme: Theme) -> None:
    run = run_of(found())
    run.found["sqlite"] = [found()]

    drawn = draw(costs(run), theme)

    assert ">postgresql<" in drawn
    assert ">sqlite<" in drawn
    assert drawn.count("<circle") == 6
