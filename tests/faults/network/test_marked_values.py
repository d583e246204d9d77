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
from tests.consumer import Consumer
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


def refusing(own_secret: str) -> Consumer:
    """Return a consumer that refuses with each answer in turn, then accepts."""
    found = Consumer(None)
    found.text = "ok"
    found.script.extend(
        web.Response(status=status, text=text, headers={"retry-after": "1"})
        for status, text in answers(own_secret)
    )
    return found


def sent_to(consumer: Consumer) -> str:
    """Return the bodies of all that came."""
    return "\n".join(one.body.decode() for one in consumer.arrived)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_no_marked_value_shows_where_it_does_not_belong(
    kind: str, request: pytest.FixtureRequest, daemon: DaemonProcess, until: Until, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/monitor.db"
    if kind == "postgresql":
        plain = request.getfixturevalue("empty_postgres_url")
        url = make_url(plain).set(password=PASSWORD).render_as_string(hide_password=False)
    slack, crm = refusing(SLACK_PATH), refusing(WEBHOOK_SECRET)
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
        await until(lambda: "batch.completed" in sent_to(crm), what="the end")
        bolna.fault(Fault.unauthorized())
        await until(lambda: daemon.lines("source.failing") != [], what="a refused key")
        await until(lambda: len(slack.arrived) > 3, what="Slack messages")
        await until(lambda: len(crm.arrived) > 3, what="webhooks")
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
        "Slack": sent_to(slack),
        "webhooks": sent_to(crm),
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
