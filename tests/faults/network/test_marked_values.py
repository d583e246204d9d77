"""Six marked values, every error path: none of them is found where it does not belong."""

import asyncio
import base64
import json
from pathlib import Path

import psycopg
import pytest
from aiohttp import web
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from tests.conftest import Until
from tests.daemon_process import DaemonProcess
from tests.simulator.faults import Fault

KEY = "marked-key-4711"
SLACK_PATH = "/services/T0MARK/B0MARK/marked-slack-path"
WEBHOOK_KEY = b"a marked webhook secret of 36 bytes!"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(WEBHOOK_KEY).decode()
PASSWORD = "marked-database-password"
PHONE = "19875550104711"
ERROR_NUMBER = "15550108822"
MARKS = (
    KEY,
    "marked-slack-path",
    base64.b64encode(WEBHOOK_KEY).decode().rstrip("="),
    PASSWORD,
    PHONE,
    ERROR_NUMBER,
    ERROR_NUMBER[4:],
)
FAULTS = (
    Fault.forbidden(),
    Fault.not_found(),
    Fault.unprocessable(),
    Fault.rate_limited(1),
    Fault.server_error(502),
    Fault.redirect(f"http://127.0.0.1:1/?phone={PHONE}"),
    Fault.html(),
    Fault.empty(),
    Fault.array(),
    Fault.truncated(),
    Fault.reset(),
    Fault.black_hole(1),
    Fault.body(f'{{"error": 400, "message": "bad number +{ERROR_NUMBER}"}}'.encode()),
    Fault.body(b"\xff\xfe" + ERROR_NUMBER.encode()),
)


def answers(own_secret: str) -> list[tuple[int, str]]:
    """Return refusals, some of which quote the receiver's own secret or a number."""
    return [
        (400, "invalid_blocks"),
        (400, f"refused {own_secret} of +{ERROR_NUMBER}"),
        (404, "no_service"),
        (429, "slow down"),
        (500, f"cannot call +{ERROR_NUMBER[0]} ({ERROR_NUMBER[1:4]}) {ERROR_NUMBER[4:]}"),
        (302, ""),
    ]


class Echo:
    """Refuse with each answer in turn, then accept; keep the bodies of all requests."""

    def __init__(self, own_secret: str) -> None:
        self._answers = iter(answers(own_secret))
        self.bodies: list[str] = []
        self.url = ""
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", self._answer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.text())
        status, text = next(self._answers, (200, "ok"))
        return web.Response(status=status, text=text, headers={"retry-after": "1"})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_no_marked_value_shows_where_it_does_not_belong(
    kind: str, request: pytest.FixtureRequest, daemon: DaemonProcess, until: Until, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/monitor.db"
    if kind == "postgresql":
        plain = request.getfixturevalue("empty_postgres_url")
        url = make_url(plain).set(password=PASSWORD).render_as_string(hide_password=False)
    slack, crm = Echo(SLACK_PATH), Echo(WEBHOOK_SECRET)
    await slack.start()
    await crm.start()
    async with SimulatedBolna(key=KEY) as bolna:
        document = bolna_document("b1", status="running", from_phone_number=f"+{PHONE}")
        for batch_id in ("b1", "b2", "b3"):
            bolna.put(batch_id, {**document, "batch_id": batch_id})
        daemon.database_url = url
        daemon.configure(config(bolna.base_url, slack.url + SLACK_PATH, crm.url))
        await daemon.start()
        await until(lambda: bool(bolna.served), what="a first reading")
        for fault in FAULTS:
            before = len(bolna.served)
            bolna.fault(fault, times=1)
            await until(lambda b=before: len(bolna.served) > b, what=fault.name)
            bolna.lift()
        bolna.put("b1", {**document, "status": "completed", "execution_status": {"completed": 7}})
        await until(lambda: "batch.completed" in str(crm.bodies), what="the end")
        bolna.fault(Fault.unauthorized())
        await until(lambda: daemon.lines("source.failing") != [], what="a refused key")
        await until(lambda: len(slack.bodies) > 3, what="Slack messages")
        await until(lambda: len(crm.bodies) > 3, what="webhooks")
        shown = [await daemon.get("/metrics"), await daemon.get("/-/ready")]
        shown += [await said_by(daemon, *arguments) for arguments in COMMANDS]
        await daemon.stop()
        bolna.key = "another"
        shown.append((await daemon.command("poll", "bolna", "b1"))[1])
    wrong = url.replace("monitor.db", "no/such/folder/monitor.db").replace(
        make_url(url).database or "-", "no_such_database"
    )
    daemon.database_url = wrong
    daemon.configure(config(bolna.base_url, slack.url + SLACK_PATH, crm.url))
    shown += [(await daemon.command(*arguments))[1] for arguments in (("run",), ("list",))]
    await slack.stop()
    await crm.stop()

    places = {
        "log": daemon.log.read_text(),
        "screen": "\n".join(shown),
        "Slack": "\n".join(slack.bodies),
        "webhooks": "\n".join(crm.bodies),
        "database": stored(url, tmp_path),
    }
    assert "batch.first_seen" in places["database"]
    assert "source.failing" in places["log"]
    found = [(mark, place) for mark in MARKS for place, text in places.items() if mark in text]
    assert found == []


async def said_by(daemon: DaemonProcess, *arguments: str) -> str:
    """Return all that a command prints; it runs in this process, which starts sooner."""
    command = [*arguments, "-c", str(daemon.config)]
    ended = await asyncio.to_thread(CliRunner().invoke, app, command)
    if not isinstance(ended.exception, SystemExit | None):
        raise ended.exception
    return ended.output


COMMANDS = (
    ("list", "-o", "json"),
    ("show", "bolna", "b1", "-o", "json"),
    ("events", "-o", "json"),
    ("deliveries", "-o", "json"),
    ("delivery", "1", "-o", "json"),
    ("poll", "bolna", "b1", "-o", "json"),
    ("test", "ops"),
    ("test", "crm"),
    ("delivery", "1"),
)


def stored(url: str, folder: Path) -> str:
    """Return all that the database holds, as text."""
    if url.startswith("sqlite"):
        files = [file for file in folder.glob("monitor.db*") if file.is_file()]
        return "".join(file.read_bytes().decode("latin-1") for file in files)
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        rows = [
            connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 (our own tables)
            for (name,) in tables
        ]
    return json.dumps(rows, default=lambda value: bytes(value).decode("latin-1"))


def config(provider_url: str, slack_url: str, crm_url: str) -> str:
    """Return a config with all secrets in the file, and everything logged."""
    return f"""
[monitor]
log_level = "debug"
[polling]
interval = "50ms"
deadline = "500ms"
[sources.bolna]
provider = "bolna"
api_key = "{KEY}"
base_url = "{provider_url}"
allow_http = true
allow_private = true
rate_limit = "100000/min"
[[batches]]
source = "bolna"
id = "b1"
[[batches]]
source = "bolna"
id = "b2"
[[batches]]
source = "bolna"
id = "b3"
[receivers.ops]
kind = "slack"
webhook_url = "{slack_url}"
allow_http = true
allow_private = true
[receivers.crm]
kind = "webhook"
url = "{crm_url}/hooks"
secret = "{WEBHOOK_SECRET}"
retry_schedule = ["100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms"]
allow_http = true
allow_private = true
[[routes]]
receiver = "ops"
[[routes]]
receiver = "crm"
"""
