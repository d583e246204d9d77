"""Prometheus' own tool tries each alert rule on its first occurrence (needs promtool)."""

import re
import shutil
import subprocess
from pathlib import Path

RULES = Path(__file__).parents[3] / "deploy" / "alerts.yml"
CASES = Path(__file__).with_name("alerts.test.yml")


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own command)
        [shutil.which("promtool") or "promtool", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_rule_alerts_of_its_first_occurrence_and_not_before(tmp_path: Path) -> None:
    for file in (RULES, CASES):
        shutil.copy(file, tmp_path)

    done = promtool("test", "rules", CASES.name, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    done = promtool("check", "rules", str(RULES), folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_rule_is_without_a_case() -> None:
    rules = re.findall(r"- alert: (\w+)", RULES.read_text())
    fires = re.compile(r"alertname: (\w+),?\s+exp_alerts")

    assert rules
    assert set(rules) == set(fires.findall(CASES.read_text()))
