import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from monitor.cli.listen import listen, receiver_in, receiver_with
from monitor.config.load import load
from monitor.core.delivery import VerdictKind
from monitor.core.errors import UnknownNameError
from monitor.facts.examples import example_of
from tests import programs
from tests.cli.conftest import Run
from tests.conftest import Until
from tests.consumer import SECRET
from tests.documented_consumers import OTHER_SECRET, send
from tests.patient import HANG
from tests.programs import PIPE, Program

pytestmark = pytest.mark.usefixtures("in_force")

GREETING = "listening on http://127.0.0.1:"


class Listening:
    """A listener that has said what comes next."""

    def __init__(self, child: Program, greeting: list[str]) -> None:
        self.child = child
        self.greeting = greeting
        self.url = greeting[0].split()[2]
        self.port = int(self.url.split(":")[2].split("/")[0])

    async def line(self) -> str:
        assert self.child.stdout is not None
        return (await asyncio.wait_for(self.child.stdout.readline(), HANG)).decode()

    async def complaint(self) -> str:
        assert self.child.stderr is not None
        return (await asyncio.wait_for(self.child.stderr.readline(), HANG)).decode()

    async def interrupt(self) -> tuple[int | None, str]:
        """Press Ctrl-C; return the exit code and what was said on standard error."""
        self.child.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(self.child.communicate(), HANG)
        return self.child.returncode, said.decode()


@asynccontextmanager
async def listening(*arguments: str) -> AsyncIterator[Listening]:
    """Listen on any free port."""
    child = await programs.start("listen", "--port", "0", *arguments, stdout=PIPE, stderr=PIPE)
    assert child.stderr is not None
    greeting: list[str] = []
    try:
        while not greeting or not greeting[-1].startswith("then, elsewhere: "):
            said = await asyncio.wait_for(child.stderr.readline(), HANG)
            assert said
            greeting.append(said.decode().rstrip("\n"))
        yield Listening(child, greeting)
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


@pytest.fixture
def lead(config: Path, rewrite: Callable[[str], None]) -> Callable[[list[str]], None]:
    """Do to the table of crm what a greeting says."""
    text = config.read_text()

    def follow(greeting: list[str]) -> None:
        (url,) = (line.strip() for line in greeting if line.startswith("  url = "))
        crm = text.index('url = "', text.index("[receivers.crm]"))
        rewrite(text[:crm] + url + text[text.index("\n", crm) :])

    return follow


async def test_what_a_receiver_gets_is_verified_and_printed_a_line_each(
    monitor: Run, lead: Callable[[list[str]], None]
) -> None:
    async with listening("--receiver", "crm") as listener:
        lead(listener.greeting)
        assert (await monitor("test", "crm")).code == 0
        assert (await monitor("test", "crm", "--type", "batch.failed")).code == 0
        (newest, *_) = (await monitor("deliveries", "-o", "json")).json
        first, second = await listener.line(), await listener.line()
        async with aiohttp.request("POST", listener.url, data=b"{}") as answer:
            refused = await listener.line()
        code, said = await listener.interrupt()

    assert newest["state"] == "delivered"
    assert first.endswith("  verified     monitor.test          sequence 1, a test  crm  crm\n")
    assert second.split()[2:4] == ["verified", "batch.failed"]
    assert second.endswith("  sequence 2, a test  crm  7d1fa0b27c8e4f6b9a3c5e2d4f60718a\n")
    assert answer.status == 401
    assert refused.endswith("  refused      Missing required headers\n")
    assert (code, said.strip()) == (130, "")


async def test_what_comes_again_is_told_as_seen_before(
    monitor: Run, lead: Callable[[list[str]], None]
) -> None:
    async with listening("--receiver", "crm") as listener:
        lead(listener.greeting)
        tested = await monitor("test", "crm")
        first = await listener.line()
        body = json.dumps((await monitor("events", "-o", "json")).json[0]).encode()
        sent = await send(listener.port, body, SECRET)
        again = await listener.line()

    assert (tested.code, sent) == (0, (VerdictKind.DELIVERED, 204))
    assert "  verified     monitor.test  " in first
    assert "  seen before  monitor.test  " in again


async def test_json_is_the_bodies_alone_and_refusals_go_aside(
    monitor: Run, lead: Callable[[list[str]], None]
) -> None:
    async with listening("--receiver", "crm", "-o", "json") as listener:
        lead(listener.greeting)
        await monitor("test", "crm", "--type", "batch.stalled")
        line = await listener.line()
        async with aiohttp.request("POST", listener.url, data=b"{}"):
            said = await listener.complaint()

    assert [json.loads(line)] == (await monitor("events", "-o", "json")).json
    assert said == "refused: Missing required headers\n"


async def test_a_receiver_that_leads_there_needs_nothing_but_a_test(
    monitor: Run, lead: Callable[[list[str]], None]
) -> None:
    async with listening("--receiver", "crm") as listener:
        lead(listener.greeting)
        port = str(listener.port)
        taken = await monitor("listen", "--port", port, "--receiver", "crm")
        await listener.interrupt()
    async with listening("--receiver", "crm", "--port", port) as listener:
        greeting = listener.greeting

    assert taken.code == 1
    assert "cannot listen on 127.0.0.1:" in taken.err
    assert "Address already in use; --port 0 is any" in taken.err
    assert greeting == [
        f"{GREETING}{port}/hooks/batches until Ctrl-C",
        "then, elsewhere: monitor test crm --type batch.failed",
    ]


async def test_a_variables_secret_needs_no_config(
    monitor: Run, rewrite: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_SECRET", SECRET)
    rewrite("")

    async with listening("--secret-env", "LOCAL_SECRET") as listener:
        table = [line for line in listener.greeting if line.startswith("  ")]
        rewrite("\n".join(table))
        tested = await monitor("test", "local")
        line = await listener.line()

    assert tested.code == 0
    assert "verified" in line


async def test_whose_secret_is_said_once(monitor: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "whsec_MDEy")

    both = await monitor("listen", "--receiver", "crm", "--secret-env", "LOCAL_SECRET")
    slack = await monitor("listen", "--receiver", "ops")
    unset = await monitor("listen", "--secret-env", "LOCAL_SECRET")
    short = await monitor("listen", "--secret-env", "SHORT")

    assert (both.code, slack.code, unset.code, short.code) == (2, 1, 1, 1)
    assert slack.err == "ops is no webhook: nothing that slack gets is signed\n"
    assert unset.err == "--secret-env: the environment variable LOCAL_SECRET is not set\n"
    assert 'the environment variable SHORT must be "whsec_"' in short.err


def test_the_only_webhook_needs_no_name(in_force: Path) -> None:
    config = load(in_force)

    assert receiver_in(config, None) == receiver_in(config, "crm")
    with pytest.raises(UnknownNameError, match="the config has no webhooks: name one"):
        receiver_in(replace(config, receivers={}), None)


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("name", ["crm", "local"])
async def test_what_is_printed_goes_where_it_belongs(
    name: str,
    output: str,
    in_force: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    until: Until,
) -> None:
    monkeypatch.setenv("LOCAL_SECRET", SECRET)
    receiver = receiver_in(load(in_force), name) if name == "crm" else receiver_with("LOCAL_SECRET")
    said, body = {"out": "", "err": ""}, json.dumps(example_of("batch.failed")).encode()

    def has(stream: str, text: str) -> bool:
        shown = capsys.readouterr()
        said["out"] += shown.out
        said["err"] += shown.err
        return text in said[stream]

    listener = asyncio.create_task(listen(receiver, port=0, output=output))
    await until(lambda: has("err", f"then, elsewhere: monitor test {name} --type batch.failed"))
    port = int(said["err"].removeprefix(GREETING).split("/")[0])
    await send(port, body, SECRET)
    await send(port, body, OTHER_SECRET)
    await until(lambda: has("out" if output == "table" else "err", "No matching signature found"))
    listener.cancel()
    with suppress(asyncio.CancelledError):
        await listener

    assert ('secret_env = "LOCAL_SECRET"' in said["err"]) is (name == "local")
    assert "  allow_private = true\n" in said["err"]
    if output == "json":
        assert said["out"].encode() == body + b"\n"
    else:
        assert "  verified     batch.failed          sequence 6  bolna-prod  " in said["out"]
