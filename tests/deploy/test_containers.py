"""The container files start what the program knows, from what the build needs."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.cli.main import SECTIONS
from monitor.config.environment import OVERRIDES
from monitor.config.load import load
from monitor.config.schema import INSTANCE, database_url, parse_listen
from monitor.config.secrets import missing_secrets
from monitor.config.starter import write_starter
from monitor.daemon.process import LONGEST_END
from monitor.endpoints import Endpoints
from monitor.setting_types import parse_duration

ROOT = Path(__file__).parent.parent.parent
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text()
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text()
README = (ROOT / "deploy" / "README.md").read_text()
HEALTHCHECK = ROOT / "deploy" / "healthcheck.py"
VARIABLES = {*OVERRIDES, "MONITOR_CONFIG", "MONITOR_INSTANCE"}
PATHS = {"/-/healthy", "/-/ready"}


def manifest() -> str:
    """Return README's manifest for Kubernetes."""
    found = re.search(r"```yaml\n(apiVersion.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def environment() -> dict[str, str]:
    """Return what the image sets."""
    found = re.search(r"^ENV (.*)$", CONTAINERFILE, re.MULTILINE)
    assert found is not None
    return dict(pair.split("=", 1) for pair in found[1].split())


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the Containerfile, or one in its place."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 (ours)


def test_the_files_that_are_copied_are_all_that_the_wheel_needs(tmp_path: Path) -> None:
    build = CONTAINERFILE.rpartition("\nFROM ")[0]
    for names in re.findall(r"^COPY (?!--)(.+) \S+$", build, re.MULTILINE):
        for name in names.split():
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tmp_path / name)

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = run(*command, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.whl"))) == 1


def test_it_installs_what_the_guide_does() -> None:
    installed = re.findall(r"/opt/monitor/bin/pip install .*", CONTAINERFILE)

    assert len(installed) == 2
    for command in installed:
        assert f"# {command.replace('--no-cache-dir ', '')}\n" in README


def test_every_variable_command_and_path_is_one_that_the_program_knows() -> None:
    assert set(re.findall(r"\bMONITOR_[A-Z_]+", CONTAINERFILE + COMPOSE + manifest())) <= VARIABLES
    command = re.findall(r'^CMD \["(\S+)"\]$', CONTAINERFILE, re.MULTILINE)
    assert set(command) <= {name for section in SECTIONS.values() for name in section}
    asked = set(re.findall(r"/-/\w+", HEALTHCHECK.read_text() + manifest()))
    assert asked == PATHS
    assert "livenessProbe:\n            httpGet: {path: /-/healthy" in manifest()


def test_ports_agree() -> None:
    _, port = parse_listen(environment()["MONITOR_LISTEN"])

    assert re.findall(r"^EXPOSE (\d+)", CONTAINERFILE, re.MULTILINE) == [str(port)]
    assert set(re.findall(r'"127\.0\.0\.1:\d+:(\d+)"', COMPOSE)) == {str(port)}
    assert f"containerPort: {port}" in manifest()


def test_the_image_holds_the_check_that_it_calls() -> None:
    assert f"COPY deploy/{HEALTHCHECK.name} /opt/monitor/\n" in CONTAINERFILE
    assert f'CMD ["python", "/opt/monitor/{HEALTHCHECK.name}"]' in CONTAINERFILE


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104
@pytest.mark.parametrize(("problems", "code"), [([], 0), (["the database is locked"], 1)])
async def test_the_check_asks_where_the_daemon_listens_whatever_the_proxy(
    host: str, problems: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ready() -> list[str]:
        return problems

    served = Endpoints(
        ready=ready, status=silent, before_scrape=nothing, registry=CollectorRegistry()
    )
    port = await served.start("127.0.0.1", 0)
    monkeypatch.setenv("MONITOR_LISTEN", f"{host}:{port}")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    try:
        done = await asyncio.to_thread(run, sys.executable, str(HEALTHCHECK), folder=ROOT)
    finally:
        await served.stop()

    assert done.returncode == code
    assert all(problem in done.stderr for problem in problems)


@pytest.mark.parametrize("listen", ["[::]", "[::1]"])
async def test_the_check_finds_a_daemon_on_ipv6_whatever_localhost_is(
    listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Endpoints(
        ready=well, status=silent, before_scrape=nothing, registry=CollectorRegistry()
    )
    port = await served.start(listen.strip("[]"), 0)
    monkeypatch.setenv("MONITOR_LISTEN", f"{listen}:{port}")
    try:
        done = await asyncio.to_thread(run, sys.executable, str(HEALTHCHECK), folder=ROOT)
    finally:
        await served.stop()

    assert (done.returncode, done.stderr) == (0, "")


async def well() -> list[str]:
    return []


async def silent() -> str:
    """Say nothing of how it fares."""
    return ""


async def nothing() -> None:
    """Refresh nothing."""


def test_the_check_fails_while_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_LISTEN", "[::]:1")

    done = run(sys.executable, str(HEALTHCHECK), folder=ROOT)

    assert done.returncode == 1
    assert done.stderr.startswith("no answer: ")


def test_the_two_daemons_have_names_of_their_own() -> None:
    names = re.findall(r"MONITOR_INSTANCE: (\S+)", COMPOSE)

    assert len(names) == len(set(names)) == 2
    assert all(INSTANCE.fullmatch(name) for name in names)


def test_a_daemon_ends_by_itself_before_it_is_killed() -> None:
    grace = re.search(r"stop_grace_period: (\S+)", COMPOSE)
    seconds = re.search(r"terminationGracePeriodSeconds: (\d+)", manifest())
    assert grace is not None
    assert seconds is not None

    assert parse_duration(grace[1]).total_seconds() > LONGEST_END
    assert int(seconds[1]) > LONGEST_END


def test_the_config_that_init_writes_runs_in_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_starter(tmp_path / "config.toml")
    folder, _, name = environment()["MONITOR_CONFIG"].rpartition("/")
    assert (f"./config:{folder}:ro" in COMPOSE, name) == (True, "config.toml")
    (block,) = re.findall(r"environment: &environment\n((?: {6}.*\n)+)", COMPOSE)
    given = dict(re.findall(r"^ +([A-Z_]+): (.*)$", block, re.MULTILINE))
    for name, value in given.items():
        monkeypatch.setenv(name, re.sub(r"\$\{.*?\}", "given", value))
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x")

    config = load(tmp_path / "config.toml")

    assert missing_secrets(config) == []
    assert database_url(config) == "postgresql://monitor:given@postgres/monitor"
    assert config.monitor.instance == "one"
    wanted = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    (told,) = re.findall(r"```ini\n((?:[A-Z_]+=.*\n)+)", README)
    assert {line.partition("=")[0] for line in told.splitlines()} == wanted
    assert os.path.relpath(ROOT / "deploy" / "Containerfile", ROOT) in COMPOSE
