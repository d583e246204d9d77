import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main

TINY = ["--rounds=1", "--seconds=0.2", "--backlog=200", "--pace=5", "--batches", "10", "20", "40"]


def test_the_bench_measures_and_writes_every_row_that_there_is_on_sqlite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, chart = tmp_path / "bench.json", tmp_path / "bench.svg"

    main([*TINY, "--database=sqlite", f"--json={data}", f"--chart={chart}"])

    printed, report = capsys.readouterr().out, json.loads(data.read_text())
    values = {line["row"]: line["median"] for line in report["rows"]}
    assert list(values) == ["1", "2", "2b", "3", "4", "5", "6", "7", "8", "8b"]
    assert all(value > 0 for row, value in values.items() if row != "8")  # 30 batches weigh nothing
    assert f"target: {report['target']}" in printed
    (found,) = report["measurements"]["sqlite"]
    assert all(about["done"] > 0 for about in found.values())
    assert chart.read_text().startswith("<svg")
