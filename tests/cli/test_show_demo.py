import asyncio
import os
import sys
from pathlib import Path

import pytest

from monitor.cli.show_demo import next_commands
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("duration", "reason"),
    [
        ("soon", "must be a duration"),
        ("4999ms", "must be from 5s to 1h"),
        ("61m", "must be from 5s to 1h"),
    ],
)
async def test_a_duration_that_shows_nothing_is_wrong_usage(
    duration: str, reason: str, monitor: Run
) -> None:
    ended = await monitor("demo", "--duration", duration)

    assert ended.code == 2
    assert reason in ended.err


def script(tmp_path: Path) -> str:
    """Return what it prints at its end, as far as it asks nobody, with a `monitor` to run it by."""
    program = tmp_path / "bin" / "monitor"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m monitor "$@"\n')
    program.chmod(0o700)
    here = (line for line in next_commands() if not {"batches", "run"} & {*line.split()})
    return "\n".join(["set -e", *here])


async def test_what_it_says_at_its_end_runs_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bin/monitor"])
    path = str(Path(__file__).parents[2])

    shell = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", script(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    out = (await shell.communicate())[0].decode()

    assert shell.returncode == 0
    assert "wrote config.toml" in out
    assert "Checking 'config.toml'  SUCCESS" in out
    assert out.splitlines()[-1].startswith("next: ")
    assert all(len(line) <= 80 for line in next_commands())


def test_a_config_that_is_there_is_not_made_anew(in_force: Path) -> None:
    first, *_ = next_commands()

    assert first == "  monitor check-config"
    assert in_force.exists()
