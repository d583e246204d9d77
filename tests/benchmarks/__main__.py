"""Measure the daemon against bare loops on this machine, and print its targets: `make bench`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from docs.generate.chart import draw
from docs.generate.drawing import LIGHT
from tests.benchmarks.bench import Sizes
from tests.benchmarks.report import as_json, as_text, costs
from tests.benchmarks.rows import ROWS
from tests.benchmarks.run import Run, chosen

KINDS = ("sqlite", "postgresql")


def main(words: Sequence[str] | None = None) -> None:
    """Run what is asked for, and print the report."""
    arguments = _parser().parse_args(words)
    run = Run(
        rows=chosen(arguments.only),
        kinds=KINDS if arguments.database == "both" else (arguments.database,),
        rounds=arguments.rounds,
        sizes=Sizes(
            seconds=arguments.seconds,
            batches=tuple(arguments.batches),
            backlog=arguments.backlog,
            pace=arguments.pace,
        ),
    )
    run.measure()
    print(as_text(run))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(run), indent=2) + "\n")
    if arguments.chart and (lines := costs(run)):
        arguments.chart.write_text(draw(lines, LIGHT))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--database", choices=[*KINDS, "both"], default="both")
    numbers = sorted({row.number.rstrip("b") for row in ROWS})
    parser.add_argument("--only", nargs="+", choices=numbers, default=[], help="rows of the table")
    parser.add_argument("--batches", type=int, nargs=3, default=[1_000, 10_000, 100_000])
    parser.add_argument("--backlog", type=int, default=10_000, help="deliveries to drain, row 6")
    parser.add_argument("--pace", type=int, default=500, help="polls a second, row 7")
    parser.add_argument("--json", type=Path, help="write the report as JSON, too")
    parser.add_argument("--chart", type=Path, help="write what a poll costs as SVG (needs row 5)")
    return parser


if __name__ == "__main__":
    main()
